import { z } from 'zod';
import { hostOf } from './address.ts';
import { call } from './client.ts';
import type { Plane } from './plane.ts';
import { giveFirstPassword } from './state/first-password.ts';

const ADMINISTRATOR = 'admin';
const LOOPBACK = /^(?:127\.[\d.]+|::1|localhost)$/;
/** The cluster that a new plane is given, so that the first import needs no step before it. */
const FIRST_CLUSTER = 'first';

const administratorAnswer = z.object({
  user: z.object({ id: z.string(), username: z.string() }),
  passwordPending: z.boolean(),
  created: z.boolean(),
});
const clusterAnswer = z.object({
  id: z.string(),
  status: z.object({ connectedAt: z.string().nullish() }).optional(),
});
const clustersAnswer = z.object({ items: z.array(clusterAnswer) });
const registrationAnswer = z.object({ importCommand: z.string() });

/** The first administrator. The password is null once its owner has changed it, or when the file that held it is gone: nobody here knows it then. */
export interface Administrator {
  readonly id: string;
  readonly username: string;
  readonly password: string | null;
}

/** What the first person needs to begin. */
export interface FirstSteps {
  readonly administrator: Administrator;
  /** Imports the first cluster; null once that has connected, or when there are others. */
  readonly importCommand: string | null;
}

/** Makes the first administrator and the first cluster, where there is none; asked again, it changes nothing. */
export async function setUp(plane: Plane): Promise<FirstSteps> {
  const administrator = await setUpAdministrator(plane);
  return { administrator, importCommand: await importCommand(plane, administrator.id) };
}

/** Makes the first administrator where there is none; asked again, it changes nothing. */
export async function setUpAdministrator(plane: Plane): Promise<Administrator> {
  const { answer, password } = await giveFirstPassword(plane.dataDir.firstPasswordFile, async (given) =>
    call(plane, {
      method: 'PUT',
      path: '/v1/setup/administrator',
      token: await plane.mint(),
      body: { username: ADMINISTRATOR, password: given },
      answer: administratorAnswer,
    }),
  );
  return { id: answer.user.id, username: answer.user.username, password };
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
      body: { metadata: { name: FIRST_CLUSTER }, spec: {} },
      answer: clusterAnswer,
    }));
  if (items.length > 1 || first.status?.connectedAt) return null;
  const registration = await call(plane, {
    method: 'POST',
    path: `/v1/clusters/${encodeURIComponent(first.id)}/registration-tokens`,
    token,
    body: { spec: pastedHere(plane) ? { caFile: plane.caFile } : {} },
    answer: registrationAnswer,
  });
  return registration.importCommand;
}

/** Whether the command can only be run on this machine, where the CA's file is: a shorter command will do then. */
function pastedHere(plane: Plane): boolean {
  return plane.caFile !== null && LOOPBACK.test(hostOf(plane.url));
}
