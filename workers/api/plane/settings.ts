import type { getSettings, updateSettings } from '#schema/api/plane/settings.ts';
import { readSettings, writeSettings } from '../../store/settings.ts';
import type { Handler } from '../handler.ts';

export const handleGetSettings: Handler<typeof getSettings> = async (_input, { db }) => await readSettings(db);

export const handleUpdateSettings: Handler<typeof updateSettings> = async ({ body }, { db }) => {
  await writeSettings(db, body);
  return await readSettings(db);
};
