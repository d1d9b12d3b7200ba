import { beforeEach, expect, test, vi } from 'vitest';
import { serve } from './serve.ts';

// An environment that is not configured at all.
const ask = async (path: string): Promise<Response> =>
  await serve(new Request(`https://plane.example.com${path}`), {} as Env, {} as ExecutionContext);

beforeEach(() => {
  vi.spyOn(console, 'log').mockReturnValue();
});

test('a configuration that is not usable is told to kubectl as a Status, without its text', async () => {
  const response = await ask('/k8s/clusters/c-gaaaaaaaaaabbbbbbbb/api/v1/pods');
  expect(response.status).toBe(500);
  expect(response.headers.get('x-request-id')).not.toBeNull();
  const body = await response.json();
  expect(body).toMatchObject({ kind: 'Status', apiVersion: 'v1', reason: 'InternalError', code: 500 });
  expect(JSON.stringify(body)).not.toMatch(/configuration|PUBLIC_URL/);
});

test.each(['/v1/me', '/connect/tunnel', '/import/x.yaml'])('and on %s as a problem', async (path) => {
  const response = await ask(path);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ status: 500, code: 'internal' });
});
