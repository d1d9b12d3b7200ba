import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Field } from '#schema/protocol/codec/head.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import type { ServedStream } from '../support/served.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
let agent: ScriptedAgent;
beforeAll(async () => {
  world = await makeWorld();
  agent = await world.agent();
});
afterAll(async () => await world.end());

/** Sends a request and answers it; what the cluster saw, and what the client got. */
async function exchange(
  path: string,
  init: RequestInit<RequestInitCfProperties> = {},
  answer: (stream: ServedStream) => void = (stream) => stream.respond(200, 'ok'),
): Promise<{ stream: ServedStream; response: Response }> {
  const asked = world.fetch(path, init);
  const stream = await agent.next();
  answer(stream);
  const response = await asked;
  return { stream, response };
}

async function idle(): Promise<void> {
  await expect.poll(async () => (await world.status()).streams).toBe(0);
}

test.each(['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])(
  '%s reaches the cluster as it is',
  async (method) => {
    const { stream, response } = await exchange('/api/v1/namespaces', { method });
    expect(stream.request.method).toBe(method);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(method === 'HEAD' ? '' : 'ok');
    await idle();
  },
);

test.each([
  '/api/v1/namespaces/a%2Fb/pods',
  '//api//v1///pods/',
  '/api/v1/pods?labelSelector=a%3Db%2Cc&limit=500&a=b&a=c',
  '/api/v1/pods?',
  '/api/v1/namespaces/%E2%82%AC/x',
  '/openapi/v3/apis/apps/v1?hash=A%2BB+C',
  '/api/v1/nodes/n1:10250/proxy/%252F..%252f',
  '/apis/x?q=%00%0a%0D',
  '/a;b=c/d,e/(f)!$&*+=@~',
])('the path and query %s reach the cluster unchanged', async (target) => {
  const { stream } = await exchange(target);
  expect(stream.request.target).toBe(target);
});

test.each([
  ['', '/'],
  ['/', '/'],
  ['?timeout=5s', '/?timeout=5s'],
])('the path "%s" is the root "%s"', async (path, target) => {
  const { stream } = await exchange(path);
  expect(stream.request.target).toBe(target);
});

test('a request’s content arrives whole, with its type and length', async () => {
  const body = JSON.stringify({ kind: 'Pod', text: 'ü'.repeat(5_000) });
  const asked = world.fetch('/api/v1/pods', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  const stream = await agent.next();
  expect(new TextDecoder().decode(await stream.body())).toBe(body);
  expect(stream.field('content-type')).toBe('application/json');
  expect(stream.field('content-length')).toBe(String(new TextEncoder().encode(body).byteLength));
  stream.respond(201, '{}');
  expect((await asked).status).toBe(201);
});

test('a request without content says so at once', async () => {
  const { stream } = await exchange('/api/v1/pods', { method: 'DELETE' });
  expect(await stream.body()).toHaveLength(0);
});

test('a request whose content is empty has length 0', async () => {
  const { stream } = await exchange('/api/v1/pods', { method: 'POST', body: '' });
  expect(await stream.body()).toHaveLength(0);
});

describe('responses', () => {
  const answered = async (
    status: number,
    body: string | Uint8Array,
    fields: Field[],
    method = 'GET',
  ): Promise<Response> =>
    (await exchange('/version', { method }, (stream) => stream.respond(status, body, fields))).response;

  test.each([200, 201, 202, 301, 307, 400, 403, 404, 409, 410, 422, 429, 500, 503, 504])(
    'status %s passes',
    async (status) => {
      const response = await answered(status, '{}', [['content-type', 'application/json']]);
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.text()).toBe('{}');
      await idle();
    },
  );

  test.each([204, 205, 304])('status %s has no content', async (status) => {
    const response = await answered(status, '', [['etag', '"x"']]);
    expect(response.status).toBe(status);
    expect(response.body).toBeNull();
    expect(response.headers.get('etag')).toBe('"x"');
    await idle();
  });

  test('a response to HEAD keeps the length of what it does not bring', async () => {
    const response = await answered(200, '', [['content-length', '4711']], 'HEAD');
    expect(response.headers.get('content-length')).toBe('4711');
    expect(await response.text()).toBe('');
  });

  test('content-length is kept', async () => {
    const small = await answered(200, '12345', [['content-length', '5']]);
    expect(small.headers.get('content-length')).toBe('5');
    const { response } = await exchange('/big', {}, (stream) => {
      stream.head(200, [['content-length', '100000']]);
      stream.write(new Uint8Array(100_000));
      stream.end();
    });
    expect(response.headers.get('content-length')).toBe('100000');
    expect((await response.arrayBuffer()).byteLength).toBe(100_000);
  });

  test('Warning, APF and audit headers pass, and repeated ones keep all their values', async () => {
    const response = await answered(200, '{}', [
      ['warning', '299 - "one"'],
      ['warning', '299 - "two"'],
      ['x-kubernetes-pf-flowschema-uid', 'u'],
      ['audit-id', 'a'],
      ['retry-after', '1'],
    ]);
    expect(response.headers.get('warning')).toBe('299 - "one", 299 - "two"');
    expect(response.headers.get('x-kubernetes-pf-flowschema-uid')).toBe('u');
    expect(response.headers.get('audit-id')).toBe('a');
    expect(response.headers.get('retry-after')).toBe('1');
  });

  test('protobuf passes untouched', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
    const type = 'application/vnd.kubernetes.protobuf;stream=watch';
    const response = await answered(200, bytes, [['content-type', type]]);
    expect(response.headers.get('content-type')).toBe(type);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
  });

  test('content that is gzipped already reaches the client as it is', async () => {
    const text = 'event '.repeat(1000);
    const zipped = new Uint8Array(
      await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer(),
    );
    const fields: Field[] = [
      ['content-encoding', 'gzip'],
      ['content-length', String(zipped.byteLength)],
    ];
    const response = await answered(200, zipped, fields);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    // A client inside the runtime decodes once; had it been encoded twice, this would be bytes.
    expect(await response.text()).toBe(text);
  });
});

describe('header fields of a request', () => {
  test('what a client sent arrives in lower case, lists joined', async () => {
    const headers = new Headers({
      Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      'Kubectl-Command': 'kubectl get',
    });
    headers.append('X-Many', 'one');
    headers.append('X-Many', 'two');
    const { stream } = await exchange('/api', { headers });
    expect(stream.field('accept')).toBe('application/json;as=Table;v=v1;g=meta.k8s.io');
    expect(stream.field('kubectl-command')).toBe('kubectl get');
    expect(stream.field('x-many')).toBe('one, two');
  });

  test.each(['gzip', 'identity', 'gzip;q=0.5, zstd'])(
    'behind the edge the client’s own Accept-Encoding %s is what counts',
    async (encoding) => {
      const cf = { clientAcceptEncoding: encoding } as RequestInitCfProperties;
      const { stream } = await exchange('/api', { headers: { 'accept-encoding': 'br, gzip', 'cf-ray': '1-AMS' }, cf });
      expect(stream.request.fields.filter(([name]) => name === 'accept-encoding')).toEqual([
        ['accept-encoding', encoding],
      ]);
    },
  );

  test('without an edge in front Accept-Encoding is what the client sent', async () => {
    const { stream } = await exchange('/api', { headers: { 'accept-encoding': 'gzip' } });
    expect(stream.field('accept-encoding')).toBe('gzip');
  });

  test('the identity is the caller’s, set once', async () => {
    const { stream } = await exchange('/api');
    const identity = stream.request.fields.filter(([name]) => name.startsWith('impersonate-'));
    expect(identity).toEqual([
      ['impersonate-user', world.owner],
      ['impersonate-group', 'outrider.dev:cluster-owner'],
      ['impersonate-extra-outrider.dev%2fusername', `name-${world.owner}`],
      ['impersonate-extra-outrider.dev%2ftoken', expect.stringMatching(/^t-/)],
    ]);
  });
});
