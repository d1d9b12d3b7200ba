import { expect, test } from 'vitest';
import { ProviderKind } from '../resources/kinds/providers.ts';
import { type Dialled, directFault } from './direct.ts';

const good: Dialled = { servers: ['dc1.corp.example'], port: 636, security: 'ldaps', ca: null };

test.each<[string, Partial<Dialled>]>([
  ['the port of LDAPS', {}],
  ['the port of a global catalog', { port: 3269 }],
  ['StartTLS', { security: 'starttls', port: 389 }],
  ['StartTLS at a global catalog', { security: 'starttls', port: 3268 }],
  ['several servers', { servers: ['dc1.corp.example', 'DC2.example.com'] }],
  ['a name in another script', { servers: ['dc1.xn--bcher-kva.xn--p1ai'] }],
  ['labels that only look private', { servers: ['local.example.com', 'internal.example.com'] }],
])('a directory may be asked directly: %s', (_what, change) => {
  expect(directFault({ ...good, ...change })).toBeNull();
});

// Each falls with the pattern, the list of names or the table of ports taken out.
test.each<[string, string, Partial<Dialled>]>([
  ['an address', 'servers', { servers: ['192.0.2.1'] }],
  ['a public address, whose certificate names nobody', 'servers', { servers: ['8.8.8.8'] }],
  ['an address of version 6', 'servers', { servers: ['2001:db8::1'] }],
  ['loopback', 'servers', { servers: ['::1'] }],
  ['an address in decimal', 'servers', { servers: ['2130706433'] }],
  ['an address in hexadecimal', 'servers', { servers: ['0x7f000001'] }],
  ['an address with a part in hexadecimal', 'servers', { servers: ['127.0.0.0x1'] }],
  ['an address of two parts', 'servers', { servers: ['127.1'] }],
  ['this machine', 'servers', { servers: ['localhost'] }],
  ['a name of this machine', 'servers', { servers: ['dc1.LOCALHOST'] }],
  ['a name without a domain', 'servers', { servers: ['dc1'] }],
  ['a name that ends in a dot', 'servers', { servers: ['dc1.localhost.'] }],
  [
    'a name of multicast DNS, and of services in a cluster',
    'servers',
    { servers: ['kubernetes.default.svc.cluster.local'] },
  ],
  ['a name of a cloud’s own', 'servers', { servers: ['metadata.google.internal'] }],
  ['a home', 'servers', { servers: ['nas.home.arpa'] }],
  ['the second of two', 'servers', { servers: ['dc1.corp.example', 'dc2.lan'] }],
  ['a port of its own', 'port', { port: 8443 }],
  ['a port of the other kind', 'port', { port: 389 }],
  ['the port of the other kind of a catalog', 'port', { security: 'starttls', port: 3269 }],
  ['a private authority', 'ca', { ca: 'PEM' }],
])('a directory is not asked directly: %s', (_what, where, change) => {
  expect(directFault({ ...good, ...change })?.path[0]).toBe(where);
});

const config = {
  type: 'activedirectory',
  ...good,
  searchBase: 'DC=corp,DC=example',
  bindName: 'search@corp.example',
  bindPassword: 'search-secret',
  loginAttribute: 'sAMAccountName',
};
const accepted = (changes: object): boolean =>
  ProviderKind.create.safeParse({ displayName: 'Corp', config: { ...config, ...changes } }).success;

test('a configuration says who asks, and is held to what it says', () => {
  const cluster = { via: { kind: 'cluster', cluster: `c-${'a'.repeat(20)}` } };
  const direct = { via: { kind: 'direct' } };
  expect(accepted(direct)).toBe(true);
  expect(accepted({})).toBe(false);
  expect(accepted({ ...direct, servers: ['10.0.0.1'] })).toBe(false);
  expect(accepted({ via: { ...direct.via, ...cluster.via, kind: 'direct' } })).toBe(false);
});
