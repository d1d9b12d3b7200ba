import type { Entry } from 'ldapts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryGroup, DirectoryPerson, FoundEntry } from '#schema/directory/questions.ts';

/** Attributes that are octets and no text. */
export const BINARY = ['objectGUID', 'objectSid'];

/** What is read of an entry. */
export const ATTRIBUTES = [
  ...BINARY,
  'sAMAccountName',
  'userPrincipalName',
  'displayName',
  'cn',
  'objectClass',
  'userAccountControl',
  'accountExpires',
  'primaryGroupID',
];

/** What the schema of answers has room for. */
const NAME_LENGTH = 256;

/** MS-ADTS §2.2.16, ADS_UF_ACCOUNT_DISABLE. */
const ACCOUNT_DISABLED = 0x2;

/** `accountExpires` counts 100 ns from 1601 (MS-ADA1 §2.3); both of these are "never". */
const NEVER = new Set([0n, 0x7fff_ffff_ffff_ffffn]);
const TICKS_PER_MS = 10_000n;
const EPOCH_1601_MS = 11_644_473_600_000n;

/** Which octet of an `objectGUID` stands where in its text: the first three groups are little-endian (MS-DTYP §2.3.4.2). */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** Sixteen octets as text: lower case, with hyphens. Null: they are no GUID. */
export function guidText(stored: Uint8Array): string | null {
  if (stored.byteLength !== GUID_ORDER.length) return null;
  const hex = Buffer.from(GUID_ORDER.map((at) => stored[at] ?? 0)).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The octets of a GUID's text, for a filter. */
export function guidOctets(shownGuid: string): Buffer {
  const shown = Buffer.from(shownGuid.replaceAll('-', ''), 'hex');
  const stored = Buffer.alloc(GUID_ORDER.length);
  GUID_ORDER.forEach((at, i) => (stored[at] = shown[i] ?? 0));
  return stored;
}

/**
 * The `objectSid` of a person's primary group, which is in no `member` attribute: theirs, with the group's relative id as last sub-authority (MS-DTYP §2.4.2.2). Null: the
 * entry does not say.
 */
export function primaryGroupSid(entry: Entry): Buffer | null {
  const sid = octets(entry, 'objectSid');
  const relative = Number(text(entry, 'primaryGroupID') ?? Number.NaN);
  if (sid === null || !Number.isInteger(relative) || relative < 0 || relative > 0xffff_ffff) return null;
  const subAuthorities = sid[1] ?? 0;
  if (subAuthorities < 1 || sid.byteLength !== 8 + 4 * subAuthorities) return null;
  const primary = Buffer.from(sid);
  primary.writeUInt32LE(relative, primary.byteLength - 4);
  return primary;
}

/** Whether the account may sign in; one that does not say so may not. */
export function isEnabled(entry: Entry, now: number): boolean {
  const control = text(entry, 'userAccountControl');
  if (control === null || !/^-?[0-9]{1,10}$/.test(control) || (Number(control) & ACCOUNT_DISABLED) !== 0) return false;
  const expires = text(entry, 'accountExpires');
  if (expires === null) return true;
  if (!/^[0-9]{1,19}$/.test(expires)) return false;
  const ticks = BigInt(expires);
  return NEVER.has(ticks) || ticks / TICKS_PER_MS - EPOCH_1601_MS > BigInt(now);
}

/** Null: an entry without an `objectGUID` is nobody. */
export function personFrom(
  entry: Entry,
  groups: DirectoryGroup[],
  loginAttribute: DirectoryConfig['loginAttribute'],
  now: number,
): DirectoryPerson | null {
  const objectGuid = guid(entry);
  if (objectGuid === null) return null;
  const loginName = name(entry, loginAttribute, 'sAMAccountName');
  return {
    objectGuid,
    loginName,
    displayName: name(entry, 'displayName', 'cn') || loginName,
    enabled: isEnabled(entry, now),
    groups,
  };
}

/** Groups by their names, each once; entries without an `objectGUID` are none. */
export function groupsFrom(entries: readonly Entry[]): DirectoryGroup[] {
  const byId = new Map<string, DirectoryGroup>();
  for (const entry of entries) {
    const objectGuid = guid(entry);
    if (objectGuid !== null) byId.set(objectGuid, { objectGuid, name: name(entry, 'sAMAccountName', 'cn') });
  }
  return [...byId.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What a search shows of an entry. */
export function foundFrom(entry: Entry, loginAttribute: DirectoryConfig['loginAttribute']): FoundEntry | null {
  const objectGuid = guid(entry);
  if (objectGuid === null) return null;
  const kind = values(entry, 'objectClass').includes('group') ? 'group' : 'user';
  const loginName =
    kind === 'group' ? name(entry, 'sAMAccountName', 'cn') : name(entry, loginAttribute, 'sAMAccountName');
  return { kind, objectGuid, loginName, displayName: name(entry, 'displayName', 'cn') || loginName };
}

function guid(entry: Entry): string | null {
  const value = octets(entry, 'objectGUID');
  return value === null ? null : guidText(value);
}

/** The first of these attributes that is there; '' where none is. */
function name(entry: Entry, ...attributes: string[]): string {
  for (const attribute of attributes) {
    const value = text(entry, attribute);
    if (value !== null && value !== '') return cut(value);
  }
  return '';
}

/** By code units, and never through the middle of a character. */
const cut = (value: string): string => value.slice(0, NAME_LENGTH).replace(/[\uD800-\uDBFF]$/, '');

/** The only value of an attribute; null: it has none, or several. */
function text(entry: Entry, attribute: string): string | null {
  const [value, second] = values(entry, attribute);
  return typeof value === 'string' && second === undefined ? value : null;
}

function octets(entry: Entry, attribute: string): Buffer | null {
  const [value, second] = values(entry, attribute);
  return Buffer.isBuffer(value) && second === undefined ? value : null;
}

function values(entry: Entry, attribute: string): readonly (string | Buffer)[] {
  const value = Object.hasOwn(entry, attribute) ? entry[attribute] : undefined;
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
