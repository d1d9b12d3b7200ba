import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import type { Endpoint } from '#schema/api/endpoint.ts';
import { openApi } from '#schema/api/openapi.ts';
import { ENDPOINTS } from './routes.ts';

/** Rules of the linter that are not ours. Every other one holds. */
const OFF = {
  // There is no address to write to: whoever runs a plane is asked.
  'info-contact': 'off',
  // The summary says it; what is particular is said where it is, by a field or a response.
  'operation-description': 'off',
  // An invented id or password teaches nothing that its pattern does not.
  'scalar-property-missing-example': 'off',
  // Would have answers promise what nobody relies on; what requests may hold is bounded by their schemas.
  'required-string-property-missing-min-length': 'off',
  // Which media types are allowed is ours to say: JSON, problems (RFC 9457), YAML, Prometheus' text, and OAuth's forms (RFC 6749 §3.2).
  'response-mime-type': 'off',
  'request-mime-type': 'off',
  // `/v1/me`, `/v1/audit`, `/v1/auth`: there is one of each.
  'path-segment-plural': 'off',
  // The order of the sections is the one in which a plane is taken into use.
  'tags-alphabetical': 'off',
  // OAuth says its refusals its own way (RFC 6749 §5.2), and pages say theirs to people; see the test below for everybody else.
  'operation-4xx-problem-details-rfc7807': 'off',
  // Some operations do nothing but lead a browser on; see below.
  'operation-2xx-response': 'off',
} as const;

const document = openApi(ENDPOINTS, 'https://plane.example.org');

async function findings(rules: Record<string, 'off' | 'error'>): Promise<string[]> {
  const config = await createConfig({ extends: ['all'], rules });
  const found = await lintFromString({ source: JSON.stringify(document), config });
  return found.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`);
}

test('the linter has nothing to say about the document of the plane', async () => {
  expect(await findings(OFF)).toEqual([]);
});

/** `<method> <path>` of what a linter's finding is about, once each. */
const operations = (found: readonly string[]): Set<string> =>
  new Set(
    found.map((line) => {
      const [, , path = '', method = ''] = (line.split('#')[1] ?? '').split('/');
      return `${method.toUpperCase()} ${path.replaceAll('~1', '/')}`;
    }),
  );
const named = ({ method, path }: Endpoint): string => `${method} ${path}`;

test('whatever is refused is refused by a problem, but for the three endpoints of OAuth, and pages', async () => {
  const found = await findings({ ...OFF, 'operation-4xx-problem-details-rfc7807': 'error' });
  const pages = new Set(ENDPOINTS.filter(({ browser }) => browser === 'page').map(named));
  expect([...operations(found)].filter((operation) => !pages.has(operation))).toEqual([
    'POST /v1/auth/device/code',
    'POST /v1/auth/device/token',
    'POST /v1/auth/cli/token',
  ]);
});

test('what only leads a browser on says where to by Location', async () => {
  const found = await findings({ ...OFF, 'operation-2xx-response': 'error' });
  const leading = ENDPOINTS.filter(({ status }) => status > 300).map(named);
  expect(leading).toHaveLength(3);
  expect(operations(found)).toEqual(new Set(leading));
  const led = { headers: { location: { required: true } } };
  expect(document['paths']).toMatchObject({
    '/v1/auth/providers/{provider}/start': { get: { responses: { 302: led } } },
    '/v1/auth/providers/{provider}/callback': { get: { responses: { 303: led } } },
    '/login': { post: { responses: { 303: led, 200: { content: { 'text/html; charset=utf-8': {} } } } } },
  });
});
