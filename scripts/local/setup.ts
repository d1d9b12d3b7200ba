import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { call } from './client.ts';
import { readIfThere, writeWhole } from './state/data-dir.ts';
import { randomBase32 } from './mint.ts';
import type { Plane } from './plane.ts';

const ADMINISTRATOR = 'admin';
/** The cluster that a new plane is given, so that the first import needs no step before it. */
const FIRST_CLUSTER = 'first';
/** Four groups of five base32 characters: 100 bits. */
const PASSWORD_GROUPS = 4;
const PASSWORD_GROUP_LENGTH = 5;

const administratorAnswer = z.object({ user: z.object({ id: z.string() }), passwordPending: z.boolean() });
const clusterAnswer = z.object({
  id: z.string(),
  status: z.object({ connectedAt: z.string().nullish() }).optional(),
});
const clustersAnswer = z.object({ items: z.array(clusterAnswer) });
const registrationAnswer = z.object({ importCommand: z.string() });

/** What the first person needs to begin. */
export interface FirstSteps {
  /** The password is null once it has been changed: nobody but its owner knows it then. */
  readonly administrator: { readonly id: string; readonly username: string; readonly password: string | null };
  /** Imports the first cluster; null once that has connected, or when there are others. */
  readonly importCommand: string | null;
}

/** Makes the first administrator and the first cluster, where there is none; asked again, it changes nothing. */
export async function setUp(plane: Plane): Promise<FirstSteps> {
  const password = await firstPassword(plane);
  const { user, passwordPending } = await call(plane, {
    method: 'PUT',
    path: '/v1/setup/administrator',
    token: await plane.mint(),
    body: { username: ADMINISTRATOR, password },
    answer: administratorAnswer,
  });
  if (!passwordPending) await rm(plane.dataDir.firstPasswordFile, { force: true });
  return {
    administrator: { id: user.id, username: ADMINISTRATOR, password: passwordPending ? password : null },
    importCommand: await importCommand(plane, user.id),
  };
}

/** Kept in a file before the plane hears of it, so that a crash between the two loses nothing. */
async function firstPassword(plane: Plane): Promise<string> {
  const kept = (await readIfThere(plane.dataDir.firstPasswordFile))?.trim();
  if (kept) return kept;
  const groups = Array.from({ length: PASSWORD_GROUPS }, () => randomBase32(PASSWORD_GROUP_LENGTH));
  const password = groups.join('-');
  await writeWhole(plane.dataDir.firstPasswordFile, `${password}\n`);
  return password;
}

async function importCommand(plane: Plane, userId: string): Promise<string | null> {
  const token = await plane.mint(userId);
  const { items } = await call(plane, { method: 'GET', path: '/v1/clusters', token, answer: clustersAnswer });
  const first =
    items[0] ??
    (await call(plane, {
      method: 'POST',
      path: '/v1/clusters',
      token,
      body: { name: FIRST_CLUSTER },
      answer: clusterAnswer,
    }));
  if (items.length > 1 || first.status?.connectedAt) return null;
  const registration = await call(plane, {
    method: 'POST',
    path: `/v1/clusters/${encodeURIComponent(first.id)}/registration-tokens`,
    token,
    body: {},
    answer: registrationAnswer,
  });
  return registration.importCommand;
}
