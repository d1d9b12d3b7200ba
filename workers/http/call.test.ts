import { expect, test } from 'vitest';
import * as z from 'zod';
import { endpoint } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import type { Deps } from '../api/handler.ts';
import { problemResponse } from '../problem.ts';
import { callEndpoint } from './call.ts';

const greet = endpoint({
  operation: 'greet',
  summary: 'Greet somebody',
  method: 'POST',
  path: '/v1/greet/{name}',
  who: 'anyone',
  scope: 'anything',
  params: z.object({ name: z.string().regex(/^[a-z]+$/) }),
  query: z.strictObject({ loud: z.enum(['true', 'false']).default('false') }),
  body: z.strictObject({ text: z.string().max(9) }),
  status: 200,
  result: z.object({ text: z.string() }),
  errors: [],
});

// An endpoint for anyone asks nothing of the plane, and here nothing is written down.
const NOTHING = { config: { audit: { level: 'None' } } } as Deps;

interface Sent {
  name?: string;
  query?: string;
  body?: string;
  type?: string;
  headers?: Record<string, string>;
}

async function call(
  { name = 'ada', query = '', body = '{"text":"hello"}', type = 'application/json', headers = {} }: Sent,
  result: unknown = {},
) {
  const seen: unknown[] = [];
  const handler = async (input: unknown): Promise<unknown> => {
    seen.push(input);
    return result;
  };
  const request = new Request(`https://plane.example.com/v1/greet/x${query}`, {
    method: 'POST',
    body,
    headers: { 'content-type': type, ...headers },
  });
  const response = await callEndpoint({ endpoint: greet, handler }, { request, params: { name } }, NOTHING);
  return { seen, response };
}

test('a handler gets its input checked, with defaults', async () => {
  const { seen } = await call({}, { text: 'x' });
  expect(seen).toEqual([{ params: { name: 'ada' }, query: { loud: 'false' }, headers: {}, body: { text: 'hello' } }]);
});

test('only what an endpoint declares leaves: a secret that a handler returns by mistake does not', async () => {
  const { response } = await call({}, { text: 'hello', passwordHash: 'secret' });
  expect(await response.json()).toEqual({ text: 'hello' });
});

test('a result that is not what was declared is an error and no answer', async () => {
  await expect(call({}, { text: 7 })).rejects.toMatchObject({ name: 'ZodError' });
});

test.each<[string, Sent, string]>([
  ['a path that is no name', { name: 'A/..' }, 'not_found'],
  ['an unknown parameter', { query: '?x=1' }, 'invalid'],
  ['a parameter that is given twice', { query: '?loud=true&loud=false' }, 'bad_request'],
  ['a body of another type', { type: 'text/plain' }, 'bad_request'],
  ['a body that is no JSON', { body: '{' }, 'bad_request'],
  ['a condition that nobody would look at', { headers: { 'If-Match': '"7"' } }, 'bad_request'],
  ['an unknown field', { body: '{"text":"a","x":1}' }, 'invalid'],
  ['a body that would change every object', { body: '{"text":"a","__proto__":{"admin":true}}' }, 'invalid'],
])('%s never reaches the handler', async (_what, sent, code) => {
  await expect(call(sent, { text: 'x' })).rejects.toMatchObject({ code });
});

test('what is wrong is told by place, without what was sent', async () => {
  const error: unknown = await call({ body: '{"text":"a long secret text"}' }).catch((reason: unknown) => reason);
  const problem = await problemResponse(error, 'r1').json();
  expect(problem).toMatchObject({ status: 422, code: 'invalid', requestId: 'r1', errors: [{ path: 'text' }] });
  expect(JSON.stringify(problem)).not.toContain('secret');
});

test('an unexpected failure says nothing of itself', async () => {
  const response = problemResponse(new Error('SQLITE_ERROR in table users'), 'r1');
  expect(response.status).toBe(500);
  expect(await response.text()).not.toMatch(/SQLITE|users/);
});

test('a refusal says when to try again only where its row does', () => {
  expect(problemResponse(new OutriderError('throttled', 'x'), 'r').headers.get('retry-after')).toBe('5');
  expect(problemResponse(new OutriderError('conflict', 'x'), 'r').headers.get('retry-after')).toBeNull();
  expect(problemResponse(new OutriderError('unauthenticated', 'x'), 'r').headers.get('www-authenticate')).toMatch(
    /^Bearer/,
  );
});
