import * as z from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { Access } from '#schema/api/providers/access.ts';
import type { ProviderSettings } from '#schema/api/providers/types.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import type { ProviderKind } from '#schema/resources/kinds/providers.ts';
import { PROVIDER_COLUMNS, ProviderRow, settingsOf } from '../providers/providers.ts';
import { administratorRemains, admitted, endTokensOfShutOut } from '../providers/ways-in.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { touch } from '../rights/access.ts';
import { first, Flag } from '../rows.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import { conditionsOf } from './provider-conditions.ts';
import {
  metadataOf,
  RESOURCE_COLUMNS,
  ResourceRow,
  type Change,
  type Outcome,
  type Stored,
  type Writing,
} from './common/stored.ts';
import { Table } from './common/write.ts';

type Spec = z.output<(typeof ProviderKind)['spec']>;
type Status = z.input<(typeof ProviderKind)['status']>;
type Checks = Status['checks'];

/** A sign-in provider as the API shows it. */
export type StoredProvider = Stored<Spec, Status>;

const Checks = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })));

const Row = ResourceRow.extend(ProviderRow.shape)
  .extend({
    tested_generation: z.int().nullable(),
    test_passed: Flag,
    tested_at: z.int().nullable(),
    test_changed_at: z.int().nullable(),
    test_checks: Checks,
    enabled_changed_at: z.int(),
    people: z.int(),
    unconfirmed: z.int(),
    late_since: z.int().nullable(),
  })
  .transform((row): StoredProvider => {
    const { settings, ...spec } = settingsOf(row);
    return {
      ...metadataOf(row),
      name: row.id,
      spec: { ...spec, config: settings },
      status: {
        checks: row.test_checks,
        testedAt: row.tested_at === null ? null : moment(row.tested_at),
        people: row.people,
        unconfirmed: row.unconfirmed,
      },
      conditions: conditionsOf(row),
    };
  });

/** Groups are asked for every hour; with a whole hour of further tries the provider was down, or somebody is known there no more. Seconds. */
const LATE_SECONDS = 7200;

/** Of people who are asked for between their sign-ins. */
const LATE = `refresh_grant IS NOT NULL AND confirmed_at <= unixepoch() - ${LATE_SECONDS}`;
const KNOWN = 'FROM user_principals WHERE provider = providers.id AND gone = 0';

const SOURCE = {
  from: 'providers',
  columns: `${PROVIDER_COLUMNS}, ${RESOURCE_COLUMNS}, tested_generation, test_passed, tested_at, test_changed_at, test_checks,
    enabled_changed_at, (SELECT count(*) ${KNOWN}) AS people, (SELECT count(*) ${KNOWN} AND ${LATE}) AS unconfirmed,
    (SELECT min(confirmed_at) + ${LATE_SECONDS} ${KNOWN} AND ${LATE}) AS late_since`,
  row: Row,
  id: 'id',
  fields: {
    name: 'id',
    displayName: 'display_name',
    createdAt: 'created_at',
    type: 'type',
    enabled: 'enabled',
  } satisfies Record<keyof (typeof ProviderKind)['listing']['fields'], string>,
} satisfies ListSource<typeof Row>;

const TABLE = new Table('providers', 'id');

export async function listProviderResources(db: D1Database, request: ListRequest): Promise<Page<StoredProvider>> {
  return await listPage(db, SOURCE, request);
}

export async function findProviderResource(db: D1Database, id: string): Promise<StoredProvider | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM providers WHERE id = ?1`).bind(id), Row);
}

/** Settings as they are kept, with their secrets sealed. */
export interface Form {
  readonly settings: ProviderSettings;
  readonly secrets: string;
}

const principalsIn = (access: Access): string => JSON.stringify(access.mode === 'anyone' ? [] : access.principals);

/** SQL: a group that the provider `?1` names, whatever its type calls groups. */
const ITS_GROUP = `substr(group_principal, 1, instr(group_principal, '://') - 1) IN (?1 || '_group', ?1 || '_org', ?1 || '_team')`;

/** Whether roles are given to groups of a provider that is, was or is yet to be: whoever adds one of that id says who is in them. */
export async function isNamedByRoles(db: D1Database, id: string): Promise<boolean> {
  const row = await first(
    db
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM cluster_groups WHERE ${ITS_GROUP})
           OR EXISTS (SELECT 1 FROM global_role_bindings WHERE ${ITS_GROUP}) AS named`,
      )
      .bind(id),
    z.object({ named: Flag }),
  );
  return row?.named === true;
}

/**
 * Adds a provider, which is not enabled. Versions begin at the moment, in ms: another provider of the same id may have been there before, and what was decided on that is not done to this.
 * False: the id is taken.
 */
export async function addProvider(
  { db, commit, now }: Writing,
  { id, spec, form }: { id: string; spec: Pick<Spec, 'displayName' | 'access' | 'unconfirmedHours'>; form: Form },
): Promise<boolean> {
  try {
    await commit([
      db
        .prepare(
          `INSERT INTO providers (id, type, display_name, enabled, settings, secrets, access_mode, access_principals,
             unconfirmed_hours, resource_version, generation, created_at, enabled_changed_at)
           VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9 * 1000, 1, ?9, ?9)`,
        )
        .bind(
          id,
          form.settings.type,
          spec.displayName,
          JSON.stringify(form.settings),
          form.secrets,
          spec.access.mode,
          principalsIn(spec.access),
          spec.unconfirmedHours,
          now,
        ),
    ]);
    return true;
  } catch (error) {
    if (TABLE.isTaken(error)) return false;
    throw error;
  }
}

/**
 * Changes a provider. `form`: its settings or secrets are others; null: they stay, and what a test found of them holds. `checks`: the test that the form has passed; null: none. Whom new access shuts out loses their tokens. `refused`: no
 * administrator could sign in any more.
 */
export async function updateProvider(
  writing: Writing,
  change: Change<Spec>,
  { form, checks }: { form: Form | null; checks: Checks | null },
): Promise<Outcome> {
  const { db, now } = writing;
  const { before, spec, finalizers, generation } = change;
  const newAccess = admitted('way', { mode: '?5', principals: '?6' });
  const which = `(way.provider <> ?1 AND ${admitted('way')} OR way.provider = ?1 AND ${newAccess})`;
  const statement = db
    .prepare(
      `UPDATE providers SET finalizers = ?3, generation = ?4, resource_version = resource_version + 1,
         access_mode = ?5, access_principals = ?6, display_name = ?7, unconfirmed_hours = ?8,
         settings = coalesce(?9, settings), secrets = coalesce(?10, secrets),
         tested_generation = CASE WHEN ?11 IS NOT NULL OR ?9 IS NULL AND tested_generation = generation THEN ?4
           ELSE tested_generation END,
         test_changed_at = CASE WHEN ?11 IS NOT NULL AND test_passed = 0 THEN ?12 ELSE test_changed_at END,
         tested_at = CASE WHEN ?11 IS NOT NULL THEN ?12 ELSE tested_at END,
         test_passed = max(test_passed, ?11 IS NOT NULL), test_checks = coalesce(?11, test_checks)
       WHERE id = ?1 AND resource_version = ?2 AND (enabled = 0 OR ${administratorRemains(which)})`,
    )
    .bind(
      before.id,
      before.resourceVersion,
      JSON.stringify(finalizers),
      generation,
      spec.access.mode,
      principalsIn(spec.access),
      spec.displayName,
      spec.unconfirmedHours,
      form === null ? null : JSON.stringify(form.settings),
      form?.secrets ?? null,
      checks === null ? null : JSON.stringify(checks),
      now,
    );
  const isNewAccess = JSON.stringify(before.spec.access) !== JSON.stringify(spec.access);
  return await TABLE.write(writing, before, statement, {
    last: [
      // A word that holds for a shorter time now lapses sooner.
      db
        .prepare(
          'UPDATE user_principals SET refresh_at = min(refresh_at, confirmed_at + ?2 * 3600) WHERE provider = ?1 AND NOT gone',
        )
        .bind(before.id, spec.unconfirmedHours),
      // Another name alone wakes no cluster.
      ...(isNewAccess && before.spec.enabled ? shutOut(writing, before.id) : touch(db, 'none')),
    ],
  });
}

/** The statements that follow one which may have taken a way in from people of a provider, and with it what its groups gave them (the view `standing_groups`). */
function shutOut({ db, now }: Writing, id: string): D1PreparedStatement[] {
  return [
    endTokensOfShutOut(db, { provider: id, now }),
    revokeLostRegistrationTokens(db, { anybody: true }, now),
    ...touch(db, 'every cluster'),
  ];
}

/** Notes what a test of a provider, as it was seen, has found. */
export async function recordTest(writing: Writing, before: Stored, checks: Checks): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE providers SET tested_generation = generation, test_passed = ?3, tested_at = ?4, test_checks = ?5,
         test_changed_at = CASE WHEN test_passed = ?3 AND tested_at IS NOT NULL THEN test_changed_at ELSE ?4 END,
         resource_version = resource_version + 1
       WHERE id = ?1 AND resource_version = ?2`,
    )
    .bind(before.id, before.resourceVersion, Number(checks.every(({ ok }) => ok)), writing.now, JSON.stringify(checks));
  return await TABLE.write(writing, before, statement);
}

/** Lets people sign in through a provider. `refused`: the last test was not of its present generation, or found something. */
export async function enableProvider(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE providers SET enabled = 1, enabled_changed_at = ?3, generation = generation + 1,
         tested_generation = generation + 1, resource_version = resource_version + 1
       WHERE id = ?1 AND resource_version = ?2 AND test_passed = 1 AND tested_generation = generation`,
    )
    .bind(before.id, before.resourceVersion, writing.now);
  // What its groups give counts again.
  return await TABLE.write(writing, before, statement, { last: touch(writing.db, 'every cluster') });
}

/** SQL: a provider that is seen is not needed for an administrator to sign in. */
const NOT_NEEDED = `id = ?1 AND resource_version = ?2
  AND (enabled = 0 OR ${administratorRemains(`way.provider <> ?1 AND ${admitted('way')}`)})`;

/** SQL of assignments. `?3`: now. */
const KEEP_OUT = `enabled = 0, enabled_changed_at = CASE WHEN enabled = 1 THEN ?3 ELSE enabled_changed_at END`;

/** Lets nobody sign in through a provider, and ends the tokens of those who have no other way in. `refused`: no administrator could sign in any more. */
export async function disableProvider(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE providers SET ${KEEP_OUT}, generation = generation + 1,
         tested_generation = tested_generation + (tested_generation = generation),
         resource_version = resource_version + 1
       WHERE ${NOT_NEEDED}`,
    )
    .bind(before.id, before.resourceVersion, writing.now);
  return await TABLE.write(writing, before, statement, { last: shutOut(writing, before.id) });
}

/** SQL: the provider is being removed, or has just been marked for it. */
const ENDING = '(deleted_at IS NOT NULL OR resource_version = 0)';

/**
 * What is left of a provider when its end has begun: its groups have no members and no roles any more. Otherwise whoever adds another of that id, which takes less than to give those roles, would say who has them.
 */
const endGroups = (db: D1Database, id: string): D1PreparedStatement[] =>
  [
    ['user_groups', 'source = ?1'],
    ['cluster_groups', ITS_GROUP],
    ['global_role_bindings', ITS_GROUP],
  ].map(([table, which]) =>
    db
      .prepare(`DELETE FROM ${table} WHERE ${which} AND EXISTS (SELECT 1 FROM providers WHERE id = ?1 AND ${ENDING})`)
      .bind(id),
  );

/** Begins the deletion of a provider, through which nobody can sign in any more, with the roles of its groups; as {@link disableProvider}. */
export async function retireProvider(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE providers SET ${KEEP_OUT}, deleted_at = ?3, generation = generation + 1,
         resource_version = resource_version + 1
       WHERE ${NOT_NEEDED}`,
    )
    .bind(before.id, before.resourceVersion, writing.now);
  return await TABLE.write(writing, before, statement, {
    last: [...endGroups(writing.db, before.id), ...shutOut(writing, before.id)],
  });
}

/** Removes a provider with its principals, its groups and their roles; as {@link disableProvider}. */
export async function removeProvider(writing: Writing, before: Stored): Promise<Outcome> {
  const { db } = writing;
  // Tokens end while it can still be told whose way in this was; a version that no provider has says that it may go.
  const mark = db
    .prepare(`UPDATE providers SET enabled = 0, resource_version = 0 WHERE ${NOT_NEEDED}`)
    .bind(before.id, before.resourceVersion);
  return await TABLE.write(writing, before, mark, {
    last: [
      ...endGroups(db, before.id),
      ...shutOut(writing, before.id),
      db.prepare('DELETE FROM providers WHERE id = ?1 AND resource_version = 0').bind(before.id),
    ],
  });
}
