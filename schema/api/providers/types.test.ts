import { expect, test } from 'vitest';
import { redacted } from '../../audit/redact.ts';
import { createProvider } from './providers.ts';

const SECRET = 'a-client-secret';

test.each([
  { type: 'oidc', issuer: 'https://id.example.com', clientId: 'plane', clientSecret: SECRET },
  { type: 'github', hostname: 'github.example.com', clientId: 'plane', clientSecret: SECRET },
])('the audit log may tell how a provider is configured, and never its secret: %o', (config) => {
  const body = createProvider.body.parse({ id: 'one', displayName: 'One', config });
  const { clientSecret: _secret, ...shown } = config;
  const written = redacted(createProvider.body, body);
  expect(written).toMatchObject({ id: 'one', displayName: 'One', access: { mode: 'anyone' }, config: shown });
  expect(JSON.stringify(written)).not.toContain(SECRET);
});
