import { expect, expectTypeOf, test } from 'vitest';
import { UserKind } from '../resources/kinds/users.ts';
import { endpointsOf } from '../resources/endpoints.ts';
import { signIn } from './account/auth.ts';
import { ApiError, Client, type Ask } from './client.ts';
import { ClusterKind } from '../resources/kinds/clusters.ts';
import { getClusterMetrics } from './clusters/clusters.ts';
import { pollDevice } from './account/oauth.ts';
import { getKubeconfig } from './account/tokens.ts';

type Asked = Parameters<Ask>;
type Reply = [status: number, body: unknown];

/** A client whose plane answers what it is told, one after another. */
function plane(...replies: Reply[]) {
  const asked: Asked[] = [];
  const client = new Client({
    origin: 'https://plane.example.com',
    headers: () => ({ authorization: `Bearer t${asked.length}` }),
    ask: async (...request) => {
      asked.push(request);
      const [status, body] = replies.shift() ?? [500, ''];
      return { status, text: async () => (typeof body === 'string' ? body : JSON.stringify(body)) };
    },
  });
  return { client, asked };
}

const clusters = endpointsOf(ClusterKind);

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';
const cluster = {
  id: CLUSTER,
  kind: 'Cluster',
  metadata: {
    name: 'a',
    generation: 1,
    resourceVersion: '1',
    createdAt: '2026-01-01T00:00:00Z',
    createdBy: 'u',
    finalizers: [],
    deletedAt: null,
  },
  spec: {},
  status: {
    connectedAt: null,
    lastConnectedAt: null,
    kubernetesVersion: null,
    agentVersion: null,
    kubeSystemUid: null,
    conditions: [],
  },
  links: {},
};

test('parameters, query and body go where the endpoint has them, each escaped', async () => {
  const { client, asked } = plane([200, 'apiVersion: v1']);
  const text = await client.call(getKubeconfig, { params: { cluster: '../a?b' }, query: { ttl: '60' } });
  expectTypeOf(text).toEqualTypeOf<string>();
  expect(text).toBe('apiVersion: v1');
  expect(asked).toEqual([
    [
      'https://plane.example.com/v1/clusters/..%2Fa%3Fb/kubeconfig?ttl=60',
      { method: 'GET', redirect: 'manual', headers: { authorization: 'Bearer t0' } },
    ],
  ]);
});

test('what must be said is asked for by the compiler, and the rest may be left out', () => {
  const { client } = plane();
  type Call = typeof client.call;
  expectTypeOf<Call>().toBeCallableWith(clusters.list);
  // @ts-expect-error -- no params
  void (() => client.call(clusters.delete));
  // @ts-expect-error -- no password
  void (() => client.call(signIn, { body: { username: 'a' } }));
  // @ts-expect-error -- no such filter
  void (() => client.call(clusters.list, { query: { colour: 'red' } }));
});

test('an answer is what the endpoint declares, or no answer', async () => {
  const { client } = plane(
    [200, { items: [cluster], continue: null }],
    [204, ''],
    [200, { items: [{}] }],
    [200, 'x 1'],
  );
  const page = await client.call(clusters.list);
  expectTypeOf(page.items[0]!.metadata?.name).toEqualTypeOf<string | undefined>();
  expect(page.items).toEqual([cluster]);
  expect(await client.call(clusters.delete, { params: { cluster: CLUSTER } })).toBeUndefined();
  await expect(client.call(clusters.list)).rejects.toMatchObject({ code: 'unexpected', status: 200 });
  expect(await client.call(getClusterMetrics, { params: { cluster: CLUSTER } })).toBe('x 1');
});

test('a refusal is thrown with its code, and says nothing of what was sent', async () => {
  const problem = {
    type: 'about:blank',
    title: 'Wrong name or password',
    status: 401,
    detail: 'the name or the password is wrong',
    code: 'invalid_credentials',
    requestId: 'r',
  };
  const { client } = plane([401, problem]);
  const refused = client.call(signIn, { body: { username: 'ada', password: 'hidden' } });
  await expect(refused).rejects.toBeInstanceOf(ApiError);
  await expect(refused).rejects.toMatchObject({ status: 401, code: 'invalid_credentials', problem });
  await expect(refused).rejects.toThrow('POST /v1/auth/local: the name or the password is wrong');
});

test.each<Reply>([
  [502, '<html>Bad gateway</html>'],
  [200, '<html>Sign in to the hotel</html>'],
  [302, ''],
  [500, '{"code":7}'],
])('%i with what is no answer of the plane is unexpected: %s', async (status, body) => {
  const { client } = plane([status, body]);
  await expect(client.call(clusters.list)).rejects.toMatchObject({ status, code: 'unexpected', problem: null });
});

test('an endpoint of OAuth is asked with a form, and refuses in its own words (RFC 6749 §5.2)', async () => {
  const { client, asked } = plane(
    [400, { error: 'authorization_pending', error_description: 'not yet' }],
    [400, { error: 'slow_down' }],
    [502, { nothing: 'known' }],
  );
  const request = { body: { grant_type: 'a b', device_code: 'c&d', client_id: 'e' } };
  await expect(client.call(pollDevice, request)).rejects.toMatchObject({
    code: 'authorization_pending',
    detail: 'not yet',
    problem: null,
  });
  await expect(client.call(pollDevice, request)).rejects.toMatchObject({ code: 'slow_down', detail: 'slow_down' });
  await expect(client.call(pollDevice, request)).rejects.toMatchObject({ code: 'unexpected', status: 502 });
  expect(asked[0]?.[1]).toMatchObject({
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=a%20b&device_code=c%26d&client_id=e',
  });
});

test('a program may throw errors of its own', async () => {
  const client = new Client({
    origin: '',
    ask: async () => ({ status: 502, text: async () => '' }),
    failure: ({ what, status }) => new RangeError(`${what} ${status}`),
  });
  await expect(client.call(clusters.list)).rejects.toThrow(new RangeError('GET /v1/clusters 502'));
});

test('a list is read page after page, each with the query of the first', async () => {
  const { client, asked } = plane(
    [200, { items: [{ ...cluster }], continue: 'next one' }],
    [200, { items: [{ ...cluster, metadata: { ...cluster.metadata, name: 'b' } }], continue: null }],
  );
  const names: string[] = [];
  for await (const { metadata } of client.items(clusters.list, { query: { sort: '-name' } }))
    names.push(metadata?.name ?? '');
  expect(names).toEqual(['a', 'b']);
  expect(asked.map(([url]) => new URL(url).search)).toEqual(['?sort=-name', '?sort=-name&continue=next%20one']);
});

test('resources of a kind come whole', async () => {
  const user = {
    id: 'u-aaaaaaaaaa',
    kind: 'User',
    metadata: {
      name: 'ada',
      generation: 1,
      resourceVersion: '1',
      createdAt: '2026-01-01T00:00:00Z',
      finalizers: [],
      deletedAt: null,
    },
    spec: { administrator: false, enabled: true },
    status: {
      passwordPending: true,
      passwordChangedAt: '2026-01-01T00:00:00Z',
      passwordExpiresAt: null,
      conditions: [],
    },
    links: {},
  };
  const { client } = plane(
    [200, { items: [user], continue: null }],
    [200, { items: [{ id: user.id }], continue: null }],
  );
  for await (const found of client.resources(UserKind, { enabled: 'true' })) {
    expectTypeOf(found.spec.enabled).toEqualTypeOf<boolean>();
    expect(found).toEqual(user);
  }
  const sparse = client.resources(UserKind);
  await expect(sparse.next()).rejects.toMatchObject({ code: 'unexpected' });
  expect(endpointsOf(UserKind).patch.body.parse({ spec: { enabled: false } }).spec?.enabled).toBe(false);
});
