import * as z from 'zod';
import { Access } from '#schema/api/providers/providers.ts';
import { ProviderSettings } from '#schema/api/providers/types.ts';
import { touch, type Commit } from '../rights/access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes, first, Flag, isDuplicate } from '../rows.ts';
import { administratorRemains, admitted, endTokensOfShutOut } from './ways-in.ts';

const Json = z.string().transform((text): unknown => JSON.parse(text));

const Row = z
  .object({
    id: z.string(),
    display_name: z.string(),
    enabled: Flag,
    settings: Json.pipe(ProviderSettings),
    secrets: z.string(),
    access_mode: z.string(),
    access_principals: Json,
    unconfirmed_hours: z.int(),
    revision: z.int(),
    form: z.int(),
    tested_form: z.int().nullable(),
    tested_at: z.int().nullable(),
    created_at: z.int(),
    updated_at: z.int(),
  })
  .transform((row) => ({
    id: row.id,
    displayName: row.display_name,
    enabled: row.enabled,
    settings: row.settings,
    secrets: row.secrets,
    access: accessOf(row.access_mode, row.access_principals),
    unconfirmedHours: row.unconfirmed_hours,
    revision: row.revision,
    form: row.form,
    testedForm: row.tested_form,
    testedAt: row.tested_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }));

const accessOf = (mode: string, principals: unknown): Access =>
  Access.parse(mode === 'anyone' ? { mode } : { mode, principals });
const principalsIn = (access: Access): string => JSON.stringify(access.mode === 'anyone' ? [] : access.principals);

/** A sign-in provider. `secrets` is sealed. Moments: epoch seconds. */
export type Provider = z.output<typeof Row>;

/** What an administrator says of a provider. */
export type ProviderDraft = Pick<
  Provider,
  'id' | 'displayName' | 'settings' | 'secrets' | 'access' | 'unconfirmedHours'
>;

const COLUMNS = `id, display_name, enabled, settings, secrets, access_mode, access_principals, unconfirmed_hours, revision, form,
  tested_form, tested_at, created_at, updated_at`;

export async function listProviders(db: D1Database): Promise<Provider[]> {
  return await all(db.prepare(`SELECT ${COLUMNS} FROM providers ORDER BY id`), Row);
}

export async function findProvider(db: D1Database, id: string): Promise<Provider | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM providers WHERE id = ?1`).bind(id), Row);
}

/** Adds a provider, which is not enabled. False: the id is taken. */
export async function addProvider(db: D1Database, draft: ProviderDraft, now: number): Promise<boolean> {
  try {
    await db
      .prepare(
        `INSERT INTO providers (${COLUMNS}, type) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, 1, 1, NULL, NULL, ?8, ?8, ?9)`,
      )
      .bind(
        draft.id,
        draft.displayName,
        JSON.stringify(draft.settings),
        draft.secrets,
        draft.access.mode,
        principalsIn(draft.access),
        draft.unconfirmedHours,
        now,
        draft.settings.type,
      )
      .run();
    return true;
  } catch (error) {
    if (isDuplicate(error, 'providers.id')) return false;
    throw error;
  }
}

/**
 * Puts a draft in place of the provider that it was made from. `isNewForm`: settings or secrets are others; `tested`: that form was tested with success. Whom new access shuts
 * out loses their tokens. False: somebody else has changed the provider meanwhile, or no administrator could sign in any more.
 */
export async function replaceProvider(
  db: D1Database,
  commit: Commit,
  {
    before,
    draft,
    isNewForm,
    tested,
    now,
  }: {
    before: Provider;
    draft: ProviderDraft;
    isNewForm: boolean;
    tested: boolean;
    now: number;
  },
): Promise<boolean> {
  const isNewAccess = JSON.stringify(before.access) !== JSON.stringify(draft.access);
  const newAccess = admitted('way', { mode: '?5', principals: '?6' });
  const which = `(way.provider <> ?1 AND ${admitted('way')} OR way.provider = ?1 AND ${newAccess})`;
  const [updated] = await commit([
    db
      .prepare(
        `UPDATE providers SET display_name = ?2, settings = ?3, secrets = ?4, access_mode = ?5, access_principals = ?6,
           unconfirmed_hours = ?7, revision = revision + 1, form = form + ?8,
           tested_form = CASE WHEN ?8 = 0 THEN tested_form WHEN ?9 = 1 THEN form + 1 END,
           tested_at = CASE WHEN ?9 = 1 THEN ?10 ELSE tested_at END, updated_at = ?10
         WHERE id = ?1 AND revision = ?11 AND enabled = ?12 AND (enabled = 0 OR ${administratorRemains(which)})`,
      )
      .bind(
        draft.id,
        draft.displayName,
        JSON.stringify(draft.settings),
        draft.secrets,
        draft.access.mode,
        principalsIn(draft.access),
        draft.unconfirmedHours,
        Number(isNewForm),
        Number(tested),
        now,
        before.revision,
        Number(before.enabled),
      ),
    // A word that holds for a shorter time now lapses sooner.
    db
      .prepare(
        'UPDATE user_principals SET refresh_at = min(refresh_at, confirmed_at + ?2 * 3600) WHERE provider = ?1 AND NOT gone',
      )
      .bind(draft.id, draft.unconfirmedHours),
    // Another name alone wakes no cluster.
    ...(isNewAccess && before.enabled ? shutOut(db, draft.id, now) : touch(db, 'none')),
  ]);
  return changes(updated) === 1;
}

/** The statements that follow one which may have taken a way in from people of a provider. */
function shutOut(db: D1Database, id: string, now: number): D1PreparedStatement[] {
  return [
    endTokensOfShutOut(db, { provider: id, now }),
    revokeLostRegistrationTokens(db, { anybody: true }, now),
    ...touch(db, 'every cluster'),
  ];
}

/** Notes how a test of a form ended; nothing where the form was changed meanwhile. */
export async function recordTest(
  db: D1Database,
  { id, form, ok, now }: { id: string; form: number; ok: boolean; now: number },
): Promise<void> {
  await db
    .prepare(
      `UPDATE providers SET tested_form = CASE WHEN ?3 = 1 THEN form END, tested_at = CASE WHEN ?3 = 1 THEN ?4 END
       WHERE id = ?1 AND form = ?2`,
    )
    .bind(id, form, Number(ok), now)
    .run();
}

/** Lets people sign in through a provider. False: it was not tested in its present form. */
export async function enableProvider(
  db: D1Database,
  commit: Commit,
  { id, now }: { id: string; now: number },
): Promise<boolean> {
  const [updated] = await commit([
    db.prepare('UPDATE providers SET enabled = 1, updated_at = ?2 WHERE id = ?1 AND tested_form = form').bind(id, now),
    ...touch(db, 'none'),
  ]);
  return changes(updated) === 1;
}

/** Its first statement is to be followed by others of which `enabled = 0` says that it was carried out. */
function disable(db: D1Database, id: string, now: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE providers SET enabled = 0, updated_at = ?2
       WHERE id = ?1 AND (enabled = 0 OR ${administratorRemains(`way.provider <> ?1 AND ${admitted('way')}`)})`,
    )
    .bind(id, now);
}

/** Lets nobody sign in through a provider, and ends the tokens of those who have no other way in. False: no administrator could sign in any more. */
export async function disableProvider(
  db: D1Database,
  commit: Commit,
  { id, now }: { id: string; now: number },
): Promise<boolean> {
  const [updated] = await commit([disable(db, id, now), ...shutOut(db, id, now)]);
  return changes(updated) === 1;
}

/** Removes a provider with its principals, and the groups that it named, as {@link disableProvider}. */
export async function removeProvider(
  db: D1Database,
  commit: Commit,
  { id, now }: { id: string; now: number },
): Promise<boolean> {
  const results = await commit([
    disable(db, id, now),
    ...shutOut(db, id, now),
    db
      .prepare(
        'DELETE FROM user_groups WHERE source = ?1 AND EXISTS (SELECT 1 FROM providers WHERE id = ?1 AND enabled = 0)',
      )
      .bind(id),
    db.prepare('DELETE FROM providers WHERE id = ?1 AND enabled = 0').bind(id),
  ]);
  return changes(results.at(-1)) > 0;
}
