import * as z from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { RegistrationTokenKind } from '#schema/resources/kinds/registration-tokens.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { changes, first } from '../rows.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import { metadataOf, ResourceRow, unchanged, type Outcome, type Stored, type Writing } from './common/stored.ts';

type Spec = z.output<(typeof RegistrationTokenKind)['spec']>;
type Status = z.input<(typeof RegistrationTokenKind)['status']>;

/** A registration token as the API shows it. */
export type StoredRegistrationToken = Stored<Spec, Status>;

const Row = ResourceRow.extend({ expires_at: z.int(), used_at: z.int().nullable() }).transform(
  (row): StoredRegistrationToken => ({
    ...metadataOf(row),
    name: '',
    spec: {},
    status: { expiresAt: moment(row.expires_at), usedAt: row.used_at === null ? null : moment(row.used_at) },
    conditions: [],
  }),
);

/** All that changes of such a token is that it is used, once. */
const VERSION = '1 + (claim IS NOT NULL)';

const SOURCE = {
  from: 'registration_tokens',
  columns: `id, expires_at, used_at, 1 AS generation, ${VERSION} AS resource_version, created_at, '[]' AS finalizers, NULL AS deleted_at`,
  row: Row,
  id: 'id',
  fields: { createdAt: 'created_at', expiresAt: 'expires_at' } satisfies Record<
    keyof (typeof RegistrationTokenKind)['listing']['fields'],
    string
  >,
} satisfies ListSource<typeof Row>;

/** Which tokens: of a cluster, and good at a moment in epoch seconds. */
interface Whose {
  readonly cluster: string;
  readonly now: number;
}

const GOOD = `cluster_id = ? AND revoked_at IS NULL AND expires_at > ?
  AND cluster_id IN (SELECT id FROM clusters WHERE deleted_at IS NULL)`;

/** A page of the tokens of a cluster that are good now. */
export async function listRegistrationTokens(
  db: D1Database,
  { cluster, now }: Whose,
  request: ListRequest,
): Promise<Page<StoredRegistrationToken>> {
  return await listPage(db, { ...SOURCE, where: { condition: GOOD, values: [cluster, now] } }, request);
}

/** A token of a cluster that is good now. */
export async function readRegistrationToken(
  db: D1Database,
  id: string,
  { cluster, now }: Whose,
): Promise<StoredRegistrationToken | null> {
  const statement = db.prepare(`SELECT ${SOURCE.columns} FROM registration_tokens WHERE ${GOOD} AND id = ?`);
  return await first(statement.bind(cluster, now, id), Row);
}

/** Takes a token back; who has registered by it stays. No cluster needs to hear. */
export async function removeRegistrationToken({ db, now }: Writing, before: Stored): Promise<Outcome> {
  const results = await db.batch([
    db
      .prepare(
        `UPDATE registration_tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL AND ${VERSION} = ?3`,
      )
      .bind(before.id, now, before.resourceVersion),
    db
      .prepare(`SELECT ${VERSION} AS resource_version FROM registration_tokens WHERE id = ?1 AND revoked_at IS NULL`)
      .bind(before.id),
  ]);
  return changes(results[0]) > 0 ? 'done' : unchanged(before, results[1]);
}
