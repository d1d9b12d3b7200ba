import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { verifyAgentCredential } from '#workers/authn/agent-credential.ts';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { hashSecret } from '#workers/authn/secret.ts';
import {
  addRegistrationToken,
  claimRegistrationToken,
  findRegistrationToken,
} from '#workers/store/registration-tokens.ts';
import { readRegistrationToken, removeRegistrationToken } from '#workers/store/kinds/registration-tokens.ts';
import { changePassword, findUser } from '#workers/store/users.ts';
import {
  administrator,
  ask,
  cluster,
  config,
  member,
  newRegistrationToken,
  nowSeconds,
  outcome,
  tokenFor,
  person,
  type Answer,
} from '../management/client.ts';

// Checked by taking out, one at a time: the binding to the first key, the claim's condition that nobody came first, its condition on the UID, the generation at the
// dial. Each time the test that names it failed.

let token: string;
beforeAll(async () => {
  token = await administrator();
});

const key = (octet: number): string => Buffer.alloc(32, octet).toString('base64url');
const uid = (): string => crypto.randomUUID();

const registrationToken = async (id: string, maker = token): Promise<string> => await newRegistrationToken(id, maker);

const register = async (body: object): Promise<Answer> =>
  await ask('POST /connect/register', { body: { kubernetesVersion: 'v1.34.2', ...body } });

const agentOf = async ({ json }: Answer) => await verifyAgentCredential(await config(), json.credential, nowSeconds());

const dial = async (credential: string): Promise<Answer> =>
  await ask('GET /connect/tunnel', { token: credential, headers: { upgrade: 'websocket' } });

test('an agent registers by its token and gets a credential for its cluster and key', async () => {
  const id = await cluster();
  const kubeSystemUid = uid();
  const answer = await register({ token: await registrationToken(id), publicKey: key(1), kubeSystemUid });
  expect(answer.json.cluster).toBe(id);
  expect(await agentOf(answer)).toEqual({ cluster: id, publicKey: key(1), generation: 1 });
  expect((await buildSnapshot(env.DB, id))?.cluster.agentGeneration).toBe(1);
  expect((await ask(`GET /v1/clusters/${id}`, { token })).json.status).toMatchObject({
    kubeSystemUid,
    kubernetesVersion: 'v1.34.2',
  });
});

test('the same key may ask again and gets the same answer', async () => {
  const body = { token: await registrationToken(await cluster()), publicKey: key(1), kubeSystemUid: uid() };
  const first = await register(body);
  expect((await register(body)).json).toEqual(first.json);
});

test('a token is bound to the first key that uses it', async () => {
  const body = { token: await registrationToken(await cluster()), kubeSystemUid: uid() };
  await register({ ...body, publicKey: key(1) });
  expect(outcome(await register({ ...body, publicKey: key(2) }))).toBe('conflict');
});

test('of many keys that race for one token exactly one wins, and it is one registration', async () => {
  const id = await cluster();
  const body = { token: await registrationToken(id), kubeSystemUid: uid() };
  const keys = Array.from({ length: 8 }, (_, at) => key(at + 1));
  const answers = await Promise.all(keys.map(async (publicKey) => await register({ ...body, publicKey })));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter((answer) => outcome(answer) === 'conflict')).toHaveLength(7);
  expect((await buildSnapshot(env.DB, id))?.cluster.agentGeneration).toBe(1);
});

test('two replicas with one key that race get the same credential', async () => {
  const body = { token: await registrationToken(await cluster()), publicKey: key(1), kubeSystemUid: uid() };
  const [one, two] = await Promise.all([register(body), register(body)]);
  expect(one.status).toBe(200);
  expect(two.json).toEqual(one.json);
});

test('a second import of the same Kubernetes under another cluster is refused by name', async () => {
  const kubeSystemUid = uid();
  const known = await cluster('known');
  await register({ token: await registrationToken(known), publicKey: key(1), kubeSystemUid });
  const answer = await register({ token: await registrationToken(await cluster()), publicKey: key(2), kubeSystemUid });
  expect(outcome(answer)).toBe('already_imported');
  expect(answer.json.detail).toContain(`known (${known})`);
});

test('of two clusters that race for one Kubernetes one wins', async () => {
  const kubeSystemUid = uid();
  const tokens = [await registrationToken(await cluster()), await registrationToken(await cluster())];
  const answers = await Promise.all(
    tokens.map(async (secret, at) => await register({ token: secret, publicKey: key(at + 1), kubeSystemUid })),
  );
  expect(new Set(answers.map(outcome))).toEqual(new Set([200, 'already_imported']));
});

test('a token for one cluster does not turn it into another Kubernetes', async () => {
  const id = await cluster();
  await register({ token: await registrationToken(id), publicKey: key(1), kubeSystemUid: uid() });
  expect(outcome(await register({ token: await registrationToken(id), publicKey: key(2), kubeSystemUid: uid() }))).toBe(
    'conflict',
  );
  expect((await buildSnapshot(env.DB, id))?.cluster.agentGeneration).toBe(1);
});

test('of two Kubernetes that race for one cluster with a token each one wins', async () => {
  const id = await cluster();
  const agents = [
    { token: await registrationToken(id), publicKey: key(1), kubeSystemUid: uid() },
    { token: await registrationToken(id), publicKey: key(2), kubeSystemUid: uid() },
  ];
  const answers = await Promise.all(agents.map(register));
  expect(new Set(answers.map(outcome))).toEqual(new Set([200, 'conflict']));
  const winner = agents[answers.findIndex(({ status }) => status === 200)];
  expect((await ask(`GET /v1/clusters/${id}`, { token })).json.status.kubeSystemUid).toBe(winner?.kubeSystemUid);
});

test('a claim that was checked before another Kubernetes took the cluster does not take it over', async () => {
  const id = await cluster();
  const [slow, quick] = [await registrationToken(id), await registrationToken(id)];
  const checked = await findRegistrationToken(env.DB, await hashSecret(slow), nowSeconds());
  const kubeSystemUid = uid();
  await register({ token: quick, publicKey: key(1), kubeSystemUid });
  await claimRegistrationToken(env.DB, async (statements) => await env.DB.batch(statements), {
    token: checked ?? expect.fail('no token'),
    claim: 'slow',
    publicKey: key(2),
    kubeSystemUid: uid(),
    kubernetesVersion: 'v1.34.2',
    now: nowSeconds(),
  });
  expect((await ask(`GET /v1/clusters/${id}`, { token })).json.status.kubeSystemUid).toBe(kubeSystemUid);
  expect((await buildSnapshot(env.DB, id))?.cluster.agentGeneration).toBe(1);
});

test('importing the same cluster again is a new generation, and the older credential is dead (CVE-2022-43755)', async () => {
  const id = await cluster();
  const kubeSystemUid = uid();
  const first = { token: await registrationToken(id), publicKey: key(1), kubeSystemUid };
  const old = await register(first);
  const renewed = await register({ token: await registrationToken(id), publicKey: key(1), kubeSystemUid });
  expect((await agentOf(renewed)).generation).toBe(2);
  expect((await buildSnapshot(env.DB, id))?.cluster.agentGeneration).toBe(2);
  expect(outcome(await dial(old.json.credential))).toBe('unauthenticated');
  expect(outcome(await register(first))).toBe('unauthenticated');
});

test('an expired, revoked or unknown token registers nobody and gives no manifest', async () => {
  const id = await cluster();
  const agent = { publicKey: key(1), kubeSystemUid: uid() };
  const expired = await registrationToken(id);
  await env.DB.prepare('UPDATE registration_tokens SET expires_at = ? WHERE cluster_id = ?')
    .bind(nowSeconds(), id)
    .run();
  const revoked = await registrationToken(id);
  const { items } = (await ask(`GET /v1/clusters/${id}/registration-tokens`, { token })).json;
  expect(items).toHaveLength(1);
  expect(outcome(await ask(`DELETE /v1/clusters/${id}/registration-tokens/${items[0].id}`, { token }))).toBe(204);
  for (const secret of [expired, revoked, 'a'.repeat(32)]) {
    expect(outcome(await register({ ...agent, token: secret }))).toBe('unauthenticated');
    expect((await ask(`GET /import/${secret}.yaml`)).status).toBe(404);
  }
});

/** What takes the right to make registration tokens from a person. */
const losses: Record<string, (id: string, ada: string) => Promise<unknown>> = {
  demotion: async (id, ada) => await ask(`PUT /v1/clusters/${id}/members/${ada}`, { token, body: { role: 'member' } }),
  'the loss of their role': async (id, ada) => await ask(`DELETE /v1/clusters/${id}/members/${ada}`, { token }),
  'being disabled, also once they are enabled again': async (_id, ada) => {
    await ask(`PATCH /v1/users/${ada}`, { token, body: { spec: { enabled: false } } });
    await ask(`PATCH /v1/users/${ada}`, { token, body: { spec: { enabled: true } } });
  },
  removal: async (_id, ada) => await ask(`DELETE /v1/users/${ada}`, { token }),
  'a change of password': async (_id, ada) => {
    const user = (await findUser(env.DB, ada)) ?? expect.fail('nobody');
    const [now, notBefore] = [nowSeconds(), nowSeconds() + 1];
    const commit = async (statements: D1PreparedStatement[]) => await env.DB.batch(statements);
    await changePassword(env.DB, commit, { user, passwordHash: 'other', notBefore, now });
  },
};

test.each(Object.entries(losses))('the unused registration tokens of an owner die with %s', async (_what, lose) => {
  const [id, ada, bob] = [await cluster(), await person(), await person()];
  for (const who of [ada, bob]) await member(id, who, 'owner');
  const mine = await registrationToken(id, await tokenFor(ada));
  const used = { token: await registrationToken(id, await tokenFor(ada)), publicKey: key(1), kubeSystemUid: uid() };
  await register(used);
  const others = await registrationToken(id, await tokenFor(bob));
  await lose(id, ada);
  expect((await ask(`GET /import/${mine}.yaml`)).status).toBe(404);
  expect(outcome(await register({ ...used, token: mine }))).toBe('unauthenticated');
  // The agent is the cluster's, and bob has lost nothing.
  expect(outcome(await register(used))).toBe(200);
  expect((await ask(`GET /import/${others}.yaml`)).status).toBe(200);
});

test('registration tokens of an administrator outlive a role that they never needed', async () => {
  const [id, ada] = [await cluster(), await person({ administrator: true })];
  await member(id, ada, 'owner');
  const secret = await registrationToken(id, await tokenFor(ada));
  await ask(`DELETE /v1/clusters/${id}/members/${ada}`, { token });
  expect((await ask(`GET /import/${secret}.yaml`)).status).toBe(200);
});

test('whoever loses the right between being permitted and the making gets no token', async () => {
  const [id, ada] = [await cluster(), await person()];
  const now = nowSeconds();
  const made = { id: 'r', clusterId: id, hash: 'h', createdBy: ada, createdAt: now, expiresAt: now + 60 };
  expect(await addRegistrationToken(env.DB, made)).toBe(false);
  await member(id, ada, 'owner');
  expect(await addRegistrationToken(env.DB, made)).toBe(true);
});

// Checked by taking out, one at a time: the condition on the cluster in `GOOD`, and the version in `removeRegistrationToken`. Each time one of these two failed.
test('a token of one cluster is not seen or taken back through another', async () => {
  const [id, other] = [await cluster(), await cluster()];
  const made = await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: { spec: {} } });
  for (const method of ['GET', 'DELETE']) {
    const through = await ask(`${method} /v1/clusters/${other}/registration-tokens/${made.json.id}`, { token });
    expect(outcome(through)).toBe('not_found');
  }
  expect((await ask(`GET /v1/clusters/${other}/registration-tokens`, { token })).json.items).toEqual([]);
});

test('a registration token is a resource of its cluster; that it is used is another version', async () => {
  const id = await cluster();
  const made = await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: { spec: {} } });
  const { importUrl, importCommand, ...resource } = made.json;
  expect(importCommand).toContain(importUrl);
  const self = `/v1/clusters/${id}/registration-tokens/${resource.id}`;
  expect(resource).toEqual({
    id: expect.stringMatching(/^r-/),
    kind: 'RegistrationToken',
    metadata: {
      generation: 1,
      resourceVersion: '1',
      createdAt: expect.any(String),
      finalizers: [],
      deletedAt: null,
    },
    spec: {},
    status: { expiresAt: expect.any(String), usedAt: null, conditions: [] },
    links: { self },
  });
  expect((await ask(`GET ${self}`, { token })).json).toEqual(resource);
  const [, secret] = /\/import\/(.*)\.yaml$/.exec(importUrl) ?? [];
  const registered = await register({ token: secret, publicKey: key(1), kubeSystemUid: uid() });
  expect(registered.status).toBe(200);
  const used = await ask(`GET ${self}`, { token });
  expect(used.json).toMatchObject({ metadata: { resourceVersion: '2' }, status: { usedAt: expect.any(String) } });
  const before = await readRegistrationToken(env.DB, resource.id, { cluster: id, now: nowSeconds() });
  const writing = { db: env.DB, commit: async () => [], now: nowSeconds() };
  expect(await removeRegistrationToken(writing, { ...before!, resourceVersion: 1 })).toBe('stale');
  const seen = async (tag: string) => outcome(await ask(`DELETE ${self}`, { token, headers: { 'If-Match': tag } }));
  expect(await seen('"1"')).toBe('precondition_failed');
  expect(await seen('"2"')).toBe(204);
  expect(outcome(await ask(`GET ${self}`, { token }))).toBe('not_found');
});

test('the token itself is kept nowhere and shown once', async () => {
  const id = await cluster();
  const secret = await registrationToken(id);
  const { results } = await env.DB.prepare('SELECT * FROM registration_tokens WHERE cluster_id = ?').bind(id).all();
  expect(JSON.stringify(results)).not.toContain(secret);
  expect((await ask(`GET /v1/clusters/${id}/registration-tokens`, { token })).text).not.toContain(secret);
});

test.each([
  ['a key of another length', { publicKey: 'AAAA' }],
  ['a UID that is none', { kubeSystemUid: 'kube-system' }],
  ['a token of another shape', { token: "' OR 1=1 --" }],
  ['a version that never ends', { kubernetesVersion: 'v'.repeat(65) }],
  ['a field too many', { cluster: 'c-gaaaaaaaaaabbbbbbbb' }],
])('a registration with %s is refused', async (_what, change) => {
  const good = { token: 'a'.repeat(32), publicKey: key(1), kubeSystemUid: uid() };
  expect(outcome(await register({ ...good, ...change }))).toBe('invalid');
});

test('the agent of a removed cluster is cut off', async () => {
  const id = await cluster();
  const answer = await register({ token: await registrationToken(id), publicKey: key(1), kubeSystemUid: uid() });
  await ask(`DELETE /v1/clusters/${id}`, { token });
  expect(outcome(await dial(answer.json.credential))).toBe('unknown_cluster');
});

test('an agent credential opens nothing of the management API', async () => {
  const id = await cluster();
  const answer = await register({ token: await registrationToken(id), publicKey: key(1), kubeSystemUid: uid() });
  expect(outcome(await ask('GET /v1/clusters', { token: answer.json.credential }))).toBe('unauthenticated');
});
