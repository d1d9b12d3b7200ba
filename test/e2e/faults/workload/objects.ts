import { createHash } from 'node:crypto';
import type { Body, Client } from './client.ts';
import type { Sent } from './journal.ts';

const SPACE = 'faults';
export const CONFIG_MAPS = `/api/v1/namespaces/${SPACE}/configmaps`;
export const ROLES = `/apis/rbac.authorization.k8s.io/v1/namespaces/${SPACE}/roles`;

/** What is read again and again: 1 KB, and a list whose answer takes many frames and has no Content-Length. */
const FIXED = { name: 'fixed', data: { text: 'x'.repeat(1_000) } };
const BULK_ITEMS = 5;
const BULK_ITEM_BYTES = 300_000;
export const FIXED_PATH = `${CONFIG_MAPS}/${FIXED.name}`;
export const BULK_PATH = `${CONFIG_MAPS}?labelSelector=bulk%3Dyes`;

const json = (value: unknown): Body => ({ type: 'application/json', value });
const configMap = (metadata: object, data: Record<string, string> = {}): Body =>
  json({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });

/** Text that no two places of have in common, so that a piece that is missing or doubled is seen. */
function bulkText(item: number): string {
  let text = '';
  for (let i = 0; text.length < BULK_ITEM_BYTES; i++) text += createHash('sha256').update(`${item} ${i}`).digest('hex');
  return text;
}

/** What all schedules share. */
export async function makeCommon(direct: Client): Promise<void> {
  await direct.must(
    'POST',
    '/api/v1/namespaces',
    json({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SPACE } }),
  );
  await direct.must('POST', CONFIG_MAPS, configMap({ name: FIXED.name }, FIXED.data));
  for (let i = 0; i < BULK_ITEMS; i++) {
    const item = configMap({ name: `bulk-${i}`, labels: { bulk: 'yes' } }, { text: bulkText(i) });
    await direct.must('POST', CONFIG_MAPS, item);
  }
}

/** The list to which appends of one schedule go: RBAC rules are the plainest list that the API server takes twice. */
export async function makeLedger(direct: Client, name: string): Promise<void> {
  // Not empty: an empty list is stored as none, to which nothing can be appended.
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name }, rules: [ruleOf(FIRST)] };
  await direct.must('POST', ROLES, json(role));
}

const FIRST = 'first';
const ruleOf = (id: string): object => ({
  apiGroups: [''],
  resources: ['configmaps'],
  resourceNames: [id],
  verbs: ['get'],
});

export const created = (id: string, schedule: string): Body => configMap({ name: id, labels: { schedule, write: id } });
export const generated = (id: string, schedule: string): Body =>
  configMap({ generateName: 'g-', labels: { schedule, write: id } });

/** Without a precondition: executed twice, it is there twice. */
export const appended = (id: string): Body => ({
  type: 'application/json-patch+json',
  value: [{ op: 'add', path: '/rules/-', value: ruleOf(id) }],
});

interface Listed {
  items: { metadata: { labels?: Record<string, string> } }[];
}

/** How often each write of a schedule is to be found in the cluster. */
export async function effectsIn(direct: Client, schedule: string): Promise<Map<string, number>> {
  const effects = new Map<string, number>();
  const count = (id: string | undefined): void => {
    if (id !== undefined) effects.set(id, (effects.get(id) ?? 0) + 1);
  };
  const { items } = await direct.must<Listed>('GET', `${CONFIG_MAPS}?labelSelector=schedule%3D${schedule}`);
  for (const { metadata } of items) count(metadata.labels?.['write']);
  const { rules } = await direct.must<{ rules: { resourceNames: string[] }[] }>('GET', `${ROLES}/${schedule}`);
  for (const { resourceNames } of rules) if (resourceNames[0] !== FIRST) count(resourceNames[0]);
  return effects;
}

/** What is wrong with an answer to a GET of what {@link makeCommon} made; null: nothing. */
export function wrongContent({ kind, told }: Sent): string | null {
  if (told.how !== 'answered') return null;
  let answer: { data?: { text?: string }; items?: { data: { text: string } }[] };
  try {
    answer = JSON.parse(told.text);
  } catch {
    return `its ${told.text.length} characters are no JSON, the last: ${JSON.stringify(told.text.slice(-40))}`;
  }
  if (kind === 'get') return answer.data?.text === FIXED.data.text ? null : 'the object is not the one that was stored';
  const texts = answer.items?.map(({ data }) => data.text) ?? [];
  const whole = texts.length === BULK_ITEMS && texts.every((text, i) => text === BULK_TEXTS[i]);
  return whole ? null : `the list is not what was stored: ${texts.length} items`;
}

const BULK_TEXTS = Array.from({ length: BULK_ITEMS }, (_, i) => bulkText(i));
