import * as z from 'zod';
import { TokenType } from '#schema/api/account/tokens.ts';
import { moment } from '#schema/api/endpoint.ts';
import type { TokenKind } from '#schema/resources/kinds/tokens.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { touch } from '../rights/access.ts';
import { changes, first, Flag } from '../rows.ts';
import { USE_RECORDED_SECONDS } from '../sign-in/tokens.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import { metadataOf, ResourceRow, unchanged, type Outcome, type Stored, type Writing } from './common/stored.ts';

type Spec = z.output<(typeof TokenKind)['spec']>;
type Status = z.input<(typeof TokenKind)['status']>;

/** A token as the API shows it. */
export type StoredToken = Stored<Spec, Status>;

const Row = ResourceRow.extend({
  user_id: z.string(),
  kind: TokenType,
  description: z.string(),
  cluster_id: z.string().nullable(),
  read_only: Flag,
  expires_at: z.int(),
  last_used_at: z.int().nullable(),
  last_used_from: z.string().nullable(),
}).transform((row): StoredToken => ({
  ...metadataOf(row),
  name: '',
  spec: { description: row.description, cluster: row.cluster_id, readOnly: row.read_only },
  status: {
    type: row.kind,
    user: row.user_id,
    expiresAt: moment(row.expires_at),
    lastUsedAt: row.last_used_at === null ? null : moment(row.last_used_at),
    lastUsedFrom: row.last_used_from,
  },
  conditions: [],
}));

/** All that changes of a token is when it was last used, and each time is later than the one before. */
const VERSION = 'coalesce(last_used_at, 0) + 1';

const SOURCE = {
  from: 'tokens',
  columns: `id, user_id, kind, description, cluster_id, read_only, expires_at, last_used_at, last_used_from,
    1 AS generation, ${VERSION} AS resource_version, created_at, '[]' AS finalizers, NULL AS deleted_at`,
  row: Row,
  id: 'id',
  fields: {
    type: 'kind',
    cluster: 'cluster_id',
    readOnly: 'read_only',
    createdAt: 'created_at',
    expiresAt: 'expires_at',
  } satisfies Record<keyof (typeof TokenKind)['listing']['fields'], string>,
} satisfies ListSource<typeof Row>;

/** A token that is neither taken back nor too old, of a person (null: of anybody). */
const good = (userId: string | null, now: number): { condition: string; values: (string | number)[] } => ({
  condition: `${userId === null ? '' : 'user_id = ? AND '}revoked_at IS NULL AND expires_at > ?
    AND created_at >= (SELECT not_before FROM users WHERE users.id = tokens.user_id)`,
  values: [...(userId === null ? [] : [userId]), now],
});

/** A browser's session that has not rested too long, as far as its uses are known: they are recorded, and its token issued anew, once in {@link USE_RECORDED_SECONDS}. */
const AT_WORK = `(idle_seconds IS NULL OR coalesce(last_used_at, created_at) + idle_seconds + ${USE_RECORDED_SECONDS} > ?)`;

/** A page of the tokens of a person that are good now, without sessions that have rested too long. */
export async function listTokens(
  db: D1Database,
  { userId, now }: { userId: string; now: number },
  request: ListRequest,
): Promise<Page<StoredToken>> {
  const { condition, values } = good(userId, now);
  const where = { condition: `${condition} AND ${AT_WORK}`, values: [...values, now] };
  return await listPage(db, { ...SOURCE, where }, request);
}

/** A token that is good now; also a session that is on no list any more, which might still be one to take back. @param userId whose; null: anybody's */
export async function readToken(
  db: D1Database,
  id: string,
  { userId, now }: { userId: string | null; now: number },
): Promise<StoredToken | null> {
  const { condition, values } = good(userId, now);
  const statement = db.prepare(`SELECT ${SOURCE.columns} FROM tokens WHERE ${condition} AND id = ?`);
  return await first(statement.bind(...values, id), Row);
}

/** Takes a token back: every cluster that it was good for hears. It stays on the list of those that clusters are told of until it would have expired. */
export async function removeToken({ db, commit, now }: Writing, before: StoredToken): Promise<Outcome> {
  const { cluster } = before.spec;
  const results = await commit([
    db
      .prepare(`UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL AND ${VERSION} = ?3`)
      .bind(before.id, now, before.resourceVersion),
    ...touch(db, cluster === null ? { user: before.status.user } : { cluster }),
    db
      .prepare(`SELECT ${VERSION} AS resource_version FROM tokens WHERE id = ?1 AND revoked_at IS NULL`)
      .bind(before.id),
  ]);
  return changes(results[0]) > 0 ? 'done' : unchanged(before, results.at(-1));
}
