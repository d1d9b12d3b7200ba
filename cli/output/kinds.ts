import type * as z from 'zod';
import type { whoAmI } from '#schema/api/account/auth.ts';
import type { listGroupMembers, listUserGroups } from '#schema/api/people/group-members.ts';
import type { ResourceOf } from '#schema/resources/kind.ts';
import type { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import type { GroupKind } from '#schema/resources/kinds/groups.ts';
import type { TokenKind } from '#schema/resources/kinds/tokens.ts';
import type { UserKind } from '#schema/resources/kinds/users.ts';
import type { Cell } from './table.ts';

/** A column of a table. */
interface Column<T> {
  readonly header: string;
  /** @param now epoch milliseconds */
  readonly cell: (row: T, now: number) => Cell;
  /** Only with `-o wide`. */
  readonly wide?: true;
}

/** How things of one kind are shown: this table is the only place that knows. */
export interface Kind<T> {
  /** `-o name`: what other commands take as an argument, behind the kind. */
  readonly name: (row: T) => string;
  readonly columns: readonly Column<T>[];
}

/** A cluster; with its tunnels, which JSON and YAML show, where they were asked for. */
export type ClusterRow = z.infer<ResourceOf<typeof ClusterKind>> & {
  readonly tunnels?: readonly { readonly state: string }[];
};
export type UserRow = z.infer<ResourceOf<typeof UserKind>>;
export type GroupRow = z.infer<ResourceOf<typeof GroupKind>>;
type GroupMemberRow = z.infer<(typeof listGroupMembers)['result']>['items'][number];
type UserGroupRow = z.infer<(typeof listUserGroups)['result']>['items'][number];
export type TokenRow = z.infer<ResourceOf<typeof TokenKind>>;
export type WhoAmI = z.infer<(typeof whoAmI)['result']> & { readonly server: string };

/** A server that is known here. */
export interface ServerRow {
  readonly server: string;
  readonly current: boolean;
  readonly username: string | null;
  readonly expiresAt: string | null;
  readonly ca: 'own' | 'public';
}

/** What an import needs. */
export interface ImportRow {
  readonly cluster: ClusterRow;
  readonly importCommand: string;
  readonly expiresAt: string;
}

export const CLUSTERS: Kind<ClusterRow> = {
  name: ({ metadata }) => `cluster/${metadata.name}`,
  columns: [
    { header: 'NAME', cell: ({ metadata }) => metadata.name },
    { header: 'STATUS', cell: clusterStatus },
    { header: 'VERSION', cell: ({ status }) => status.kubernetesVersion ?? '-' },
    { header: 'AGE', cell: ({ metadata }, now) => age(metadata.createdAt, now) },
    { header: 'ID', cell: ({ id }) => id, wide: true },
    { header: 'AGENT', cell: ({ status }) => status.agentVersion ?? '-', wide: true },
    { header: 'LAST CONNECTED', cell: ({ status }, now) => ago(status.lastConnectedAt, now), wide: true },
    { header: 'CREATED BY', cell: ({ metadata }) => metadata.createdBy, wide: true },
  ],
};

/** Shown whole, or by name: the command is no cell of a table. */
export const IMPORTS: Kind<ImportRow> = { name: ({ cluster }) => CLUSTERS.name(cluster), columns: [] };

export const USERS: Kind<UserRow> = {
  name: ({ metadata }) => `user/${metadata.name}`,
  columns: [
    { header: 'NAME', cell: ({ metadata }) => metadata.name },
    { header: 'STATUS', cell: userStatus },
    { header: 'ADMINISTRATOR', cell: ({ spec }) => yes(spec.administrator) },
    { header: 'AGE', cell: ({ metadata }, now) => age(metadata.createdAt, now) },
    { header: 'ID', cell: ({ id }) => id, wide: true },
    { header: 'PASSWORD SET', cell: ({ status }, now) => ago(status.passwordChangedAt, now), wide: true },
  ],
};

export const TOKENS: Kind<TokenRow> = {
  name: ({ id }) => `token/${id}`,
  columns: [
    { header: 'ID', cell: ({ id }) => id },
    { header: 'TYPE', cell: ({ status }) => status.type },
    { header: 'DESCRIPTION', cell: ({ spec }) => (spec.description === '' ? '-' : spec.description) },
    { header: 'EXPIRES IN', cell: ({ status }, now) => span(Date.parse(status.expiresAt) - now) },
    { header: 'CLUSTER', cell: ({ spec }) => spec.cluster ?? 'any', wide: true },
    { header: 'READ-ONLY', cell: ({ spec }) => yes(spec.readOnly), wide: true },
    { header: 'AGE', cell: ({ metadata }, now) => age(metadata.createdAt, now), wide: true },
    { header: 'LAST USED', cell: ({ status }, now) => ago(status.lastUsedAt, now), wide: true },
    { header: 'FROM', cell: ({ status }) => status.lastUsedFrom ?? '-', wide: true },
  ],
};

/** A token that was just made, with what nobody is shown again. */
export const NEW_TOKENS: Kind<TokenRow & { readonly token: string }> = {
  ...TOKENS,
  columns: [...TOKENS.columns, { header: 'TOKEN', cell: ({ token }) => token, wide: true }],
};

export const GROUPS: Kind<GroupRow> = {
  name: ({ metadata }) => `group/${metadata.name}`,
  columns: [
    { header: 'NAME', cell: ({ metadata }) => metadata.name },
    { header: 'MEMBERS', cell: ({ status }) => String(status.members) },
    { header: 'DESCRIPTION', cell: ({ spec }) => (spec.description === '' ? '-' : spec.description) },
    { header: 'AGE', cell: ({ metadata }, now) => age(metadata.createdAt, now) },
    { header: 'ID', cell: ({ id }) => id, wide: true },
    { header: 'PRINCIPAL', cell: ({ status }) => status.principal, wide: true },
  ],
};

export const GROUP_MEMBERS: Kind<GroupMemberRow> = {
  name: ({ username }) => `user/${username}`,
  columns: [
    { header: 'NAME', cell: ({ username }) => username },
    { header: 'ID', cell: ({ user }) => user, wide: true },
  ],
};

export const USER_GROUPS: Kind<UserGroupRow> = {
  name: ({ principal }) => principal,
  columns: [
    { header: 'PRINCIPAL', cell: ({ principal }) => principal },
    { header: 'SOURCE', cell: ({ source }) => source },
  ],
};

export const SERVERS: Kind<ServerRow> = {
  name: ({ server }) => server,
  columns: [
    { header: 'CURRENT', cell: ({ current }) => (current ? '*' : '') },
    { header: 'SERVER', cell: ({ server }) => server },
    { header: 'USER', cell: ({ username }) => username ?? '-' },
    { header: 'EXPIRES IN', cell: ({ expiresAt }, now) => (expiresAt === null ? '-' : left(expiresAt, now)) },
    { header: 'CA', cell: ({ ca }) => ca, wide: true },
  ],
};

export const ME: Kind<WhoAmI> = {
  name: ({ user }) => `user/${user.username}`,
  columns: [
    { header: 'NAME', cell: ({ user }) => user.username },
    { header: 'SERVER', cell: ({ server }) => server },
    { header: 'ADMINISTRATOR', cell: ({ user }) => yes(user.administrator) },
    { header: 'EXPIRES IN', cell: ({ token }, now) => left(token.expiresAt, now) },
    { header: 'ID', cell: ({ user }) => user.id, wide: true },
    { header: 'TOKEN', cell: ({ token }) => token.id, wide: true },
    { header: 'CLUSTER', cell: ({ token }) => token.cluster ?? 'any', wide: true },
    { header: 'READ-ONLY', cell: ({ token }) => yes(token.readOnly), wide: true },
  ],
};

/** What its condition says: `Unknown` in a list, for which no cluster's object is asked. */
const connectedOf = ({ status }: ClusterRow): string | undefined =>
  status.conditions.find(({ type }) => type === 'Connected')?.status;

export const isConnected = (cluster: ClusterRow): boolean => connectedOf(cluster) === 'True';

function clusterStatus(cluster: ClusterRow): Cell {
  const { metadata, status } = cluster;
  if (metadata.deletedAt !== null) return { text: 'Deleting', tone: 'warn' };
  if (isConnected(cluster)) return { text: 'Connected', tone: 'good' };
  if (status.connectedAt === null) return { text: 'Never connected', tone: 'warn' };
  return connectedOf(cluster) === 'False' ? { text: 'Disconnected', tone: 'bad' } : 'Imported';
}

function userStatus({ metadata, spec, status }: UserRow): Cell {
  if (metadata.deletedAt !== null) return { text: 'Deleting', tone: 'warn' };
  if (!spec.enabled) return { text: 'Disabled', tone: 'bad' };
  if (status.passwordPending) return { text: 'Password pending', tone: 'warn' };
  const expired = status.conditions.some(({ reason }) => reason === 'PasswordExpired');
  return expired ? { text: 'Password expired', tone: 'warn' } : { text: 'Enabled', tone: 'good' };
}

const yes = (value: boolean): string => (value ? 'yes' : 'no');

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
] as const;

/** A span of milliseconds by its largest unit, as kubectl shows ages. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [unit, size] = UNITS.find(([, one]) => seconds >= 2 * one) ?? ['s', 1];
  return `${Math.floor(seconds / size)}${unit}`;
}

const age = (moment: string, now: number): string => span(now - Date.parse(moment));
const ago = (moment: string | null, now: number): string => (moment === null ? 'never' : `${age(moment, now)} ago`);
const left = (moment: string, now: number): Cell =>
  Date.parse(moment) <= now ? { text: 'ended', tone: 'bad' } : span(Date.parse(moment) - now);
