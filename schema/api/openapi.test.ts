import { expect, test } from 'vitest';
import * as z from 'zod';
import { endpoint } from './endpoint.ts';
import { openApi } from './openapi.ts';

const rename = endpoint({
  operation: 'rename',
  summary: 'Rename a thing',
  method: 'PATCH',
  path: '/v1/things/{thing}',
  who: 'cluster-owner',
  scope: 'anything',
  params: z.object({ thing: z.string() }),
  query: z.strictObject({ dry: z.enum(['true', 'false']).default('false').describe('Only look') }),
  body: z.strictObject({ name: z.string().max(9), note: z.string().default('') }),
  status: 200,
  result: z.object({ name: z.string() }),
  errors: ['conflict', 'not_found'],
});

test('an endpoint is described by what validates it', () => {
  const document = openApi([rename], 'https://plane.example.com');
  const operation = (document['paths'] as any)['/v1/things/{thing}'].patch;
  expect(document).toMatchObject({ openapi: '3.1.0', servers: [{ url: 'https://plane.example.com' }] });
  expect(operation).toMatchObject({ operationId: 'rename', security: [{ bearer: [] }, { session: [] }] });
  expect(operation.parameters).toEqual([
    { name: 'thing', in: 'path', required: true, schema: { type: 'string' } },
    {
      name: 'dry',
      in: 'query',
      required: false,
      description: 'Only look',
      schema: { type: 'string', enum: ['true', 'false'], default: 'false' },
    },
  ]);
  expect(operation.requestBody.content['application/json'].schema).toMatchObject({
    required: ['name'],
    additionalProperties: false,
    properties: { name: { type: 'string', maxLength: 9 } },
  });
  expect(Object.keys(operation.responses)).toEqual([
    '200',
    '400',
    '401',
    '403',
    '404',
    '409',
    '413',
    '422',
    '429',
    '500',
  ]);
  expect(operation.responses['404'].description).toBe('not_found: Not found; unknown_cluster: Unknown cluster');
});

test('an endpoint of OAuth takes a form, and refuses in OAuth’s words', () => {
  const exchange = endpoint({
    operation: 'exchange',
    summary: 'Exchange a code',
    method: 'POST',
    path: '/v1/exchange',
    who: 'anyone',
    scope: 'anything',
    encoding: 'form',
    body: z.object({ code: z.string().max(9) }),
    status: 200,
    result: z.object({ access_token: z.string() }),
    errors: [],
  });
  const document = openApi([exchange], 'https://plane.example.com');
  const { requestBody, responses, security } = (document['paths'] as any)['/v1/exchange'].post;
  expect(security).toEqual([]);
  expect(Object.keys(requestBody.content)).toEqual(['application/x-www-form-urlencoded']);
  expect(responses['400'].content['application/json'].schema.required).toEqual(['error']);
});
