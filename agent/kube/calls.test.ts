import type { Dispatcher } from 'undici';
import { beforeEach, expect, it } from 'vitest';
import { isConflict, type KubeCalls, kubeCalls } from './calls.ts';
import { request } from './request.ts';

interface Sent {
  method: string;
  path: string;
  headers: unknown;
  body: string;
}

let sent: Sent[];
let refusals: number;
/** What the API server says next: a status and its body's chunks. */
let answer: { status: number; chunks: (string | Buffer)[] };
let aborted: Error | null;
let calls: KubeCalls;

const pool = {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { method, path, headers, body } = options;
    sent.push({ method, path, headers, body: typeof body === 'string' ? body : '' });
    const controller: Dispatcher.DispatchController = {
      aborted: false,
      paused: false,
      reason: null,
      abort: (reason) => (aborted = reason),
      pause: () => undefined,
      resume: () => undefined,
    };
    handler.onRequestStart?.(controller, {});
    handler.onResponseStart?.(controller, answer.status, {});
    for (const chunk of answer.chunks) handler.onResponseData?.(controller, Buffer.from(chunk));
    if (aborted === null) handler.onResponseEnd?.(controller, {});
    return true;
  },
};

beforeEach(() => {
  sent = [];
  refusals = 0;
  aborted = null;
  calls = kubeCalls(pool, { token: () => Promise.resolve('its-token'), refused: () => refusals++ });
});

const says = (status: number, body: unknown): void => {
  answer = { status, chunks: [JSON.stringify(body)] };
};

it('asks for a token with its own, and knows when the new one expires', async () => {
  says(201, { kind: 'TokenRequest', status: { token: 'new', expirationTimestamp: '2026-01-02T03:04:05Z' } });
  expect(await calls.createToken('ns', 'outrider-proxy')).toEqual({
    token: 'new',
    expiresAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  });
  expect(sent).toMatchObject([{ method: 'POST', path: '/api/v1/namespaces/ns/serviceaccounts/outrider-proxy/token' }]);
  expect(sent[0]?.headers).toContain('Bearer its-token');
});

it('replaces a Secret without taking away what it does not know', async () => {
  const secret = {
    kind: 'Secret',
    immutable: false,
    metadata: { name: 'a', namespace: 'b', resourceVersion: '7', labels: { c: 'd' } },
  };
  says(200, secret);
  await calls.replaceSecret({ ...(await calls.readSecret('b', 'a')), data: { e: 'Zg==' } });
  expect(JSON.parse(sent[1]?.body ?? '')).toEqual({ ...secret, data: { e: 'Zg==' } });
});

it('passes a name on as one segment of the path', async () => {
  says(200, { metadata: { uid: 'u' } });
  await calls.namespaceUid('../secrets?x');
  expect(sent[0]?.path).toBe('/api/v1/namespaces/..%2Fsecrets%3Fx');
});

it("fails with the API server's own words, and tells a conflict and a refused token from the rest", async () => {
  says(409, { kind: 'Status', message: 'the object has been modified' });
  const conflict: unknown = await calls.readSecret('a', 'b').catch((error: unknown) => error);
  expect(conflict).toMatchObject({ message: 'the API server answered 409: the object has been modified' });
  expect(isConflict(conflict)).toBe(true);
  expect(refusals).toBe(0);
  says(401, { kind: 'Status', message: 'Unauthorized' });
  const refused: unknown = await calls.version().catch((error: unknown) => error);
  expect(isConflict(refused)).toBe(false);
  expect(refusals).toBe(1);
});

it.each([
  ['is not JSON', ['<html>']],
  ['is JSON of another shape', ['{"status":{"token":5}}']],
  [
    'holds a token longer than any',
    [JSON.stringify({ status: { token: 't'.repeat(65_537), expirationTimestamp: '2026-01-01T00:00:00Z' } })],
  ],
  ['has an expiry that is no time', ['{"status":{"token":"t","expirationTimestamp":"soon"}}']],
])('does not take an answer that %s for a token, and does not repeat it', async (_what, chunks) => {
  answer = { status: 201, chunks };
  await expect(calls.createToken('a', 'b')).rejects.toThrow(
    /^the API server answered POST \/api\/v1\/namespaces\/a\/serviceaccounts\/b\/token with something else$/,
  );
});

it('cuts an answer that is larger than a Secret can be', async () => {
  answer = { status: 200, chunks: Array.from({ length: 5 }, () => Buffer.alloc(1024 * 1024)) };
  await expect(calls.version()).rejects.toThrow('more than 4194304 bytes');
  expect(aborted).not.toBeNull();
});

it('gives up on an API server that does not answer', async () => {
  const silent = { dispatch: (): boolean => true };
  await expect(request(silent, { method: 'GET', path: '/version', token: 't' }, 1)).rejects.toThrow('in time');
});
