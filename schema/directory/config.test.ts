import { describe, expect, test } from 'vitest';
import { MAX_QUESTION_BYTES } from '../protocol/limits.ts';
import { DirectoryConfig, DirectoryPassword, LoginName, ObjectGuid } from './config.ts';
import { DirectoryQuestion } from './questions.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n';
const config = {
  servers: ['dc1.corp.example', '192.0.2.1', '2001:db8::1'],
  port: 636,
  security: 'ldaps',
  ca: PEM,
  searchBase: 'DC=corp,DC=example',
  bindName: 'search@corp.example',
  bindPassword: 'secret',
  loginAttribute: 'sAMAccountName',
};

test('a configuration is taken, with its defaults', () => {
  expect(DirectoryConfig.parse(config)).toEqual({ ...config, nestedGroups: true, pageSize: 500 });
});

test.each([
  ['no server', { servers: [] }],
  ['nine servers', { servers: Array.from({ length: 9 }, () => 'dc1') }],
  ['a URL for a server', { servers: ['ldaps://dc1'] }],
  ['a port in a server', { servers: ['dc1:636'] }],
  ['a path for a server', { servers: ['/var/run/ldapi'] }],
  ['a server that would be two lines', { servers: ['dc1\ndc2'] }],
  ['port 0', { port: 0 }],
  ['no TLS', { security: 'none' }],
  ['a key beside the certificate', { ca: `${PEM}-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n` }],
  ['no certificate', { ca: '' }],
  ['a NUL in the search base', { searchBase: 'DC=corp\0' }],
  ['an empty password', { bindPassword: '' }],
  ['a SASL mechanism for a name', { bindName: 'EXTERNAL' }],
  ['another attribute', { loginAttribute: 'objectClass' }],
  ['a field that is unknown', { insecure: true }],
])('%s is refused', (_what, change) => {
  expect(DirectoryConfig.safeParse({ ...config, ...change }).success).toBe(false);
});

describe('names and passwords', () => {
  test.each(['', 'a\0', 'a\nb', '\u0085', '\ud800', 'x'.repeat(257)])('the name %j is none', (name) => {
    expect(LoginName.safeParse(name).success).toBe(false);
  });
  test.each(['', 'right\0wrong', '\udfff', 'x'.repeat(1025)])('the password %j is none', (password) => {
    expect(DirectoryPassword.safeParse(password).success).toBe(false);
  });
  test.each([' ', 'Tab\there', 'ünïcödé'])('the password %j is one', (password) => {
    expect(DirectoryPassword.safeParse(password).success).toBe(true);
  });
  test.each(['33221100-5544-7766-8899-AABBCCDDEEFF', '{33221100-5544-7766-8899-aabbccddeeff}', '*'])(
    '%s is no objectGUID',
    (text) => {
      expect(ObjectGuid.safeParse(text).success).toBe(false);
    },
  );
});

test('the longest question that makes sense fits in a call', () => {
  const ca = `-----BEGIN CERTIFICATE-----\n${`${'A'.repeat(64)}\n`.repeat(500)}-----END CERTIFICATE-----\n`;
  const longest = DirectoryQuestion.parse({
    ask: 'signIn',
    directory: {
      ...config,
      ca,
      servers: Array.from({ length: 8 }, () => Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.')),
      searchBase: 'ü'.repeat(1024),
      bindName: `${'ü'.repeat(1023)}=`,
      bindPassword: '\x01'.repeat(1024),
    },
    name: 'ü'.repeat(256),
    password: '\x01'.repeat(1024),
  });
  expect(new TextEncoder().encode(JSON.stringify(longest)).byteLength).toBeLessThan(MAX_QUESTION_BYTES);
});
