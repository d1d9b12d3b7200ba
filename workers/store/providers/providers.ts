import * as z from 'zod';
import { Access } from '#schema/api/providers/access.ts';
import { ProviderSettings } from '#schema/api/providers/types.ts';
import { all, first, Flag } from '../rows.ts';

const Json = z.string().transform((text): unknown => JSON.parse(text));

/** Of the columns of a provider, those that say how it is asked. */
export const ProviderRow = z.object({
  id: z.string(),
  display_name: z.string(),
  enabled: Flag,
  settings: Json.pipe(ProviderSettings),
  access_mode: z.string(),
  access_principals: Json,
  unconfirmed_hours: z.int(),
});

export const PROVIDER_COLUMNS =
  'id, display_name, enabled, settings, access_mode, access_principals, unconfirmed_hours';

/** {@link ProviderRow}, as it is said elsewhere. */
export const settingsOf = (row: z.output<typeof ProviderRow>) => ({
  displayName: row.display_name,
  enabled: row.enabled,
  settings: row.settings,
  access: Access.parse(
    row.access_mode === 'anyone'
      ? { mode: row.access_mode }
      : { mode: row.access_mode, principals: row.access_principals },
  ),
  unconfirmedHours: row.unconfirmed_hours,
});

const Row = ProviderRow.extend({ secrets: z.string() }).transform((row) => ({
  id: row.id,
  secrets: row.secrets,
  ...settingsOf(row),
}));

/** A sign-in provider, as it is asked. `secrets` is sealed. */
export type Provider = z.output<typeof Row>;

const COLUMNS = `${PROVIDER_COLUMNS}, secrets`;

export async function listProviders(db: D1Database): Promise<Provider[]> {
  return await all(db.prepare(`SELECT ${COLUMNS} FROM providers ORDER BY id`), Row);
}

export async function findProvider(db: D1Database, id: string): Promise<Provider | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM providers WHERE id = ?1`).bind(id), Row);
}
