import { expect, test } from 'vitest';
import { redacted } from '../../audit/redact.ts';
import { endpointsOf } from '../../resources/endpoints.ts';
import { ProviderKind } from '../../resources/kinds/providers.ts';

const { create } = endpointsOf(ProviderKind);
const SECRET = 'a-client-secret';

test.each([
  { type: 'oidc', issuer: 'https://id.example.com', clientId: 'plane', clientSecret: SECRET },
  { type: 'github', hostname: 'github.example.com', clientId: 'plane', clientSecret: SECRET },
])('the audit log may tell how a provider is configured, and never its secret: %o', (config) => {
  const body = create.body.parse({ metadata: { name: 'one' }, spec: { displayName: 'One', config } });
  const { clientSecret: _secret, ...shown } = config;
  const written = redacted(create.body, body);
  expect(written).toMatchObject({
    metadata: { name: 'one' },
    spec: { displayName: 'One', access: { mode: 'anyone' }, config: shown },
  });
  expect(JSON.stringify(written)).not.toContain(SECRET);
});
