import { expect, test } from 'vitest';
import { redactedObject } from '../../audit/redact.ts';
import { testDirectory } from './directory.ts';

test('an audit log that writes what was sent has nothing of it that could be a secret', () => {
  const body = {
    directory: {
      servers: ['dc1.corp.example'],
      port: 636,
      security: 'ldaps',
      ca: null,
      searchBase: 'DC=corp,DC=example',
      bindName: 'search@corp.example',
      bindPassword: 'search-secret',
      loginAttribute: 'sAMAccountName',
    },
    name: 'ada',
    password: 'ada-secret',
  };
  expect(testDirectory.body.safeParse(body).success).toBe(true);
  const written = redactedObject(testDirectory.body, body);
  expect(written).toMatchObject({ directory: { port: 636, security: 'ldaps' } });
  expect(JSON.stringify(written)).not.toMatch(/secret|ada|search@/);
});
