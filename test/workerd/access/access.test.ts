import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AccessSnapshot, Person, Principal } from '#schema/access.ts';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { newClusterId } from '#workers/cluster/stub.ts';
import { setGroupRole } from '#workers/store/rights/groups.ts';
import { saysGroups } from '../support/word.ts';
import { setMember } from '#workers/store/rights/members.ts';
import { ORIGIN, type ScriptedAgent } from '../support/agent.ts';
import { addPerson, makeWorld, withoutDatabase, World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

/** What a refused request says; its code and reason agree with its status. */
async function refusal(token: string | null, path = '/api/v1/pods', init: RequestInit = {}): Promise<string> {
  const response = await world.fetch(path, { ...init, token });
  const status = await response.json<{ reason: string }>();
  expect(status).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: response.status });
  expect(response.headers.get('content-type')).toBe('application/json');
  return `${response.status} ${status.reason}`;
}

/** Whether a token reaches the cluster. */
async function reaches(
  agent: ScriptedAgent,
  token: string,
  path = '/api/v1/pods',
  init: RequestInit = {},
): Promise<string | null> {
  const asked = world.fetch(path, { ...init, token });
  const stream = await agent.next();
  stream.respond(200);
  expect((await asked).status).toBe(200);
  return stream.field('impersonate-user');
}

/** Pushes a snapshot that is newer than any of the database. */
async function push(people: Record<string, Person>, change: Partial<AccessSnapshot> = {}): Promise<void> {
  const snapshot = {
    version: 1_000_000,
    cluster: { id: world.id, name: 'prod', agentGeneration: 1 },
    people,
    revokedTokens: {},
    ...change,
  };
  expect(await (await world.stub()).putSnapshot(snapshot)).toBe(snapshot.version);
}

const parts = ({ config, id, owner, token, key }: World) => ({ config, id, owner, token, key });

const person = (change: Partial<Person> = {}): Person => ({
  username: 'ada',
  enabled: true,
  groups: [],
  notBefore: 0,
  ...change,
});

test('no token, a bad token and the wrong scheme are 401', async () => {
  expect(await refusal(null)).toBe('401 Unauthorized');
  expect(await refusal('not.a.token')).toBe('401 Unauthorized');
  expect(await refusal(null, '/', { headers: { authorization: 'Basic YTpi' } })).toBe('401 Unauthorized');
  const response = await world.fetch('/', { token: null });
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="outrider"');
});

test('a person without access to the cluster is 403; a member is let in as themselves', async () => {
  const agent = await world.agent();
  const user = await addPerson();
  expect(await refusal(await world.tokenFor({ user }))).toBe('403 Forbidden');
  const commit = async (statements: D1PreparedStatement[]) => await env.DB.batch(statements);
  await setMember(env.DB, commit, { clusterId: world.id, userId: user, role: 'member', now: 0 });
  const counter = await env.DB.prepare('SELECT value FROM access_counter').first<number>('value');
  expect(await reaches(agent, await world.tokenFor({ user, accessVersion: counter! }))).toBe(user);
});

// Tried with `accessVersion` left out of the comparison in `policy.decide`: 403.
test('who has just been given a role by a group is let in at their first call, which no push has prepared', async () => {
  const agent = await world.agent();
  await reaches(agent, world.token);
  const user = await addPerson();
  const group = 'github_team://42';
  // Past the dispatcher: nobody tells the object.
  const commit = async (statements: D1PreparedStatement[]) => await env.DB.batch(statements);
  await setGroupRole(env.DB, commit, { clusterId: world.id, group, role: 'member', now: 0 });
  await commit(saysGroups(env.DB, { userId: user, source: 'github', groups: [group], now: 0 }));
  const counter = await env.DB.prepare('SELECT value FROM access_counter').first<number>('value');
  const token = await world.tokenFor({ user, accessVersion: counter ?? 0 });
  await withoutDatabase(async () => {
    const away = await world.fetch('/api/v1/pods', { token });
    expect([away.status, (await away.json<{ message: string }>()).message]).toEqual([
      503,
      expect.stringContaining("the plane's database cannot be reached"),
    ]);
  });
  const asked = world.fetch('/api/v1/pods', { token });
  const stream = await agent.next();
  stream.respond(200);
  expect((await asked).status).toBe(200);
  expect(stream.field('impersonate-user')).toBe(user);
  const groups = stream.request.fields.filter(([name]) => name === 'impersonate-group').map(([, value]) => value);
  expect(groups).toEqual(['outrider.dev:cluster-member', group]);
});

test.each<[string, Partial<Person>, Partial<Principal>, string]>([
  ['a disabled account', { enabled: false }, {}, '401 Unauthorized'],
  ['a token from before all were revoked', { notBefore: 2_000_000_000 }, {}, '401 Unauthorized'],
  ['a token for another cluster', {}, { cluster: 'c-gzzzzzzzzzzzzzzzzzz' }, '403 Forbidden'],
  ['an expired token', {}, { expiresAt: 1_000_000_000, issuedAt: 0 }, '401 Unauthorized'],
])('%s is refused', async (_, change, token, expected) => {
  const agent = await world.agent();
  await push({ [world.owner]: person(change) });
  expect(await refusal(await world.tokenFor(token))).toBe(expected);
  expect(agent.opened.length).toBe(0);
});

test('a revocation holds as soon as the push has landed', async () => {
  const agent = await world.agent();
  const token = await world.tokenFor({ token: 't-revokedxxx' });
  await reaches(agent, token);
  await push({ [world.owner]: person() }, { revokedTokens: { 't-revokedxxx': 2_000_000_000 } });
  expect(await refusal(token)).toBe('401 Unauthorized');
  expect(await reaches(agent, world.token)).toBe(world.owner);
});

test('a token for this cluster only reaches it', async () => {
  const agent = await world.agent();
  expect(await reaches(agent, await world.tokenFor({ cluster: world.id }))).toBe(world.owner);
});

test('a read-only token reads, watches and asks what it may, and nothing else', async () => {
  const agent = await world.agent();
  const token = await world.tokenFor({ readOnly: true });
  await reaches(agent, token, '/api/v1/pods?watch=true');
  await reaches(agent, token, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { method: 'POST', body: '{}' });
  expect(await refusal(token, '/api/v1/namespaces/default/pods', { method: 'POST', body: '{}' })).toBe('403 Forbidden');
  expect(await refusal(token, '/api/v1/nodes/n1', { method: 'DELETE' })).toBe('403 Forbidden');
  expect(agent.opened.length).toBe(0);
});

test('while the database is away those whom the snapshot knows go on, and others get 503, never 401', async () => {
  const agent = await world.agent();
  await reaches(agent, world.token);
  const stranger = await world.tokenFor({ user: await addPerson(), accessVersion: 999_999 });
  await withoutDatabase(async () => {
    await reaches(agent, world.token);
    expect(await refusal(stranger)).toBe('503 ServiceUnavailable');
  });
});

test('a cluster whose object holds nothing is 503 while the database is away', async () => {
  await withoutDatabase(async () => expect(await refusal(world.token)).toBe('503 ServiceUnavailable'));
});

test('an agent reconnects while the database is away', async () => {
  const agent = await world.agent();
  await reaches(agent, world.token);
  await expect
    .poll(
      async () =>
        await runInDurableObject(
          await world.stub(),
          (_, { storage }) => storage.sql.exec("SELECT count(*) AS n FROM meta WHERE key = 'snapshot'").one()['n'],
        ),
    )
    .toBe(1);
  await withoutDatabase(async () => {
    const again = await world.agent({ instance: agent.instance, epoch: 2 });
    await reaches(again, world.token);
  });
});

test('an agent whose first connection cannot be noted is ended: no revocation would ever reach its object', async () => {
  await push({ [world.owner]: person() });
  await withoutDatabase(async () => {
    const agent = await world.agent();
    expect(await agent.closed).toMatchObject({ code: CLOSE_CODE_BASE + ProtocolCode.INTERNAL });
  });
  await reaches(await world.agent(), world.token);
});

test('what changed before the connection was noted is not missed', async () => {
  // The object holds an old snapshot when the agent connects, and the dispatcher did not know of the object.
  await push({ [world.owner]: person() }, { version: 0 });
  await env.DB.batch([
    env.DB.prepare('UPDATE access_counter SET value = value + 1'),
    env.DB.prepare('UPDATE clusters SET access_version = (SELECT value FROM access_counter) WHERE id = ?').bind(
      world.id,
    ),
    env.DB.prepare('UPDATE users SET enabled = 0 WHERE id = ?').bind(world.owner),
  ]);
  const agent = await world.agent();
  agent.serve((stream) => stream.respond(200));
  await expect.poll(async () => (await world.fetch('/version')).status).toBe(401);
});

test('a cluster id that this plane did not make is 404 and makes no object', async () => {
  const before = await listDurableObjectIds(env.CLUSTERS);
  for (const id of [
    'c-gaaaaaaaaaaaaaaaaaa',
    'c-x',
    'local',
    world.id.toUpperCase(),
    `${world.id}a`,
    `${world.id.slice(0, -1)}a`,
  ]) {
    if (id !== world.id) expect(await refusal(world.token, `/../${id}/version`)).toBe('404 NotFound');
  }
  expect(await listDurableObjectIds(env.CLUSTERS)).toEqual(before);
});

test('a cluster that is not in the database is 404 and leaves nothing, though its id is one of ours', async () => {
  const stranger = new World({ ...parts(world), id: await newClusterId(world.config) });
  const response = await stranger.fetch('/version');
  expect(response.status).toBe(404);
  const tables = await runInDurableObject(await stranger.stub(), (_, { storage }) =>
    storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
  );
  expect(tables).toEqual([]);
});

test('a person’s request leaves nothing in the object of a cluster that no agent has dialled', async () => {
  expect((await world.fetch('/version')).status).toBe(503);
  const tables = await runInDurableObject(await world.stub(), (_, { storage }) =>
    storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
  );
  expect(tables).toEqual([]);
});

test('a dial that never proves itself leaves nothing in the object', async () => {
  const agent = await world.connect({ forge: (proof) => ({ ...proof, signature: 'A'.repeat(86) }) });
  await agent.closed;
  const tables = await runInDurableObject(await world.stub(), (_, { storage }) =>
    storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
  );
  expect(tables).toEqual([]);
});

test('a token comes in a WebSocket subprotocol too', async () => {
  const agent = await world.agent();
  const bearer = `base64url.bearer.authorization.k8s.io.${btoa(world.token).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
  const asked = world.fetch('/exec', {
    token: null,
    headers: { upgrade: 'websocket', 'sec-websocket-protocol': `${bearer}, v5.channel.k8s.io`, origin: ORIGIN },
  });
  const stream = await agent.next();
  expect(stream.field('impersonate-user')).toBe(world.owner);
  expect(stream.field('sec-websocket-protocol')).toBe('v5.channel.k8s.io');
  stream.respond(403);
  expect((await asked).status).toBe(403);
});
