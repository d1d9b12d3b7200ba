import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { parse } from 'yaml';
import { z } from 'zod';
import { CLUSTER_MEMBER_GROUP, CLUSTER_OWNER_GROUP } from '#schema/access.ts';
import { randomBase32 } from '#schema/ids.ts';
import { PlaneApi } from './api.ts';
import { type ClientTools, Clients } from './processes/kubectl.ts';

const userAnswer = z.object({ id: z.string() });
const setupAnswer = z.object({ user: userAnswer });
const signInAnswer = z.object({ token: z.string() });

const kubeconfigShape = z.looseObject({
  clusters: z.tuple([z.looseObject({ cluster: z.looseObject({ server: z.string() }) })]),
  users: z.tuple([z.looseObject({ user: z.looseObject({}) })]),
});

/** Somebody with a role in the cluster of a world, and their two ways to it. */
export interface Person {
  readonly id: string;
  readonly username: string;
  /** Groups that the plane impersonates, without system:authenticated. */
  readonly groups: readonly string[];
  /** The management API, with their session. */
  readonly api: PlaneApi;
  /** Of their kubeconfig. */
  readonly token: { readonly id: string; readonly text: string };
  readonly through: Clients;
  /**
   * Straight to the API server, as a client certificate that may impersonate: with exactly the user, groups and extras that
   * the plane asks for, so that the API server cannot tell the two apart.
   */
  readonly direct: Clients;
}

/** Where people live: what of a world is needed to make one. */
export interface Home {
  readonly dir: string;
  readonly plane: { url: string; caPem: string; mint(): Promise<string> };
  readonly clusterId: string;
  readonly tools: ClientTools;
  /** Path of the kubeconfig of the cluster's own administrator. */
  readonly adminKubeconfig: string;
  /** What a kubeconfig has to name instead of the plane's URL. */
  readonly serverOf: (url: string) => string;
}

/** A password as the plane wants it. */
const newPassword = (): string => randomBase32(20);

/** The first administrator, signed in. There may be no cluster yet. */
export async function firstAdministrator(plane: Home['plane'], username = 'admin'): Promise<[string, PlaneApi]> {
  const operator = new PlaneApi(plane, await plane.mint());
  const password = newPassword();
  const { user } = await operator.json(setupAnswer, 'PUT', '/v1/setup/administrator', { username, password });
  await operator.close();
  return [user.id, await signedIn(plane, username, password)];
}

/** Adds somebody with a role. */
export async function addPerson(
  home: Home,
  administrator: PlaneApi,
  username: string,
  role: 'owner' | 'member',
): Promise<Person> {
  const password = newPassword();
  const { id } = await administrator.json(userAnswer, 'POST', '/v1/users', {
    metadata: { name: username },
    spec: { password },
  });
  await administrator.text('PUT', `/v1/clusters/${home.clusterId}/members/${id}`, { role });
  const groups = [role === 'owner' ? CLUSTER_OWNER_GROUP : CLUSTER_MEMBER_GROUP];
  return await withKubeconfigs(home, { id, username, groups, api: await signedIn(home.plane, username, password) });
}

/** Gives a person a kubeconfig through the plane, as anybody would ask for it, and its twin straight to the API server. */
export async function withKubeconfigs(
  home: Home,
  person: Pick<Person, 'id' | 'username' | 'groups' | 'api'>,
): Promise<Person> {
  const dir = join(home.dir, 'people', `${person.username}-${randomBase32(5)}`);
  const yaml = await person.api.text('GET', `/v1/clusters/${home.clusterId}/kubeconfig`);
  const through = kubeconfigShape.parse(parse(yaml));
  const [{ cluster }] = through.clusters;
  cluster.server = home.serverOf(cluster.server);
  const text = z.object({ token: z.string() }).parse(through.users[0].user).token;
  const id = z.string().parse(decodeJwt(text).jti);

  const admin = kubeconfigShape.parse(parse(await readFile(home.adminKubeconfig, 'utf8')));
  const direct = structuredClone(through);
  direct.clusters[0].cluster = admin.clusters[0].cluster;
  direct.users[0].user = {
    ...admin.users[0].user,
    as: person.id,
    'as-groups': person.groups,
    'as-user-extra': { 'outrider.dev/username': [person.username], 'outrider.dev/token': [id] },
  };
  const clients = async (name: string, config: unknown): Promise<Clients> => {
    const folder = join(dir, name);
    await mkdir(folder, { recursive: true });
    // JSON is YAML; `kubectl config` would write the same.
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(config), { mode: 0o600 });
    return new Clients(home.tools, join(folder, 'kubeconfig'), folder);
  };
  return {
    ...person,
    token: { id, text },
    through: await clients('through', through),
    direct: await clients('direct', direct),
  };
}

/** Changes the one-time password, as a person must, and keeps the session. */
async function signedIn(plane: Home['plane'], username: string, password: string): Promise<PlaneApi> {
  const anonymous = new PlaneApi(plane, 'none');
  const change = { username, password, newPassword: newPassword() };
  const { token } = await anonymous.json(signInAnswer, 'POST', '/v1/auth/local', change);
  await anonymous.close();
  return new PlaneApi(plane, token);
}
