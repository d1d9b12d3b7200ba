import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { openApi } from '#schema/api/openapi.ts';
import { ROUTES } from './routes.ts';

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
  // OAuth says its refusals its own way (RFC 6749 §5.2); see the test below for everybody else.
  'operation-4xx-problem-details-rfc7807': 'off',
} as const;

const document = openApi(
  ROUTES.map(({ endpoint }) => endpoint),
  'https://plane.example.org',
);

async function findings(rules: Record<string, 'off' | 'error'>): Promise<string[]> {
  const config = await createConfig({ extends: ['all'], rules });
  const found = await lintFromString({ source: JSON.stringify(document), config });
  return found.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`);
}

test('the linter has nothing to say about the document of the plane', async () => {
  expect(await findings(OFF)).toEqual([]);
});

test('whatever is refused is refused by a problem, but for the three endpoints of OAuth', async () => {
  const found = await findings({ ...OFF, 'operation-4xx-problem-details-rfc7807': 'error' });
  expect(found.map((line) => line.split('#')[1])).toEqual([
    '/paths/~1v1~1auth~1device~1code/post/responses/400',
    '/paths/~1v1~1auth~1device~1token/post/responses/400',
    '/paths/~1v1~1auth~1cli~1token/post/responses/400',
  ]);
});
