import { expect, test } from 'vitest';
import type { Principal } from '#schema/access.ts';
import type { Scope, Who } from '#schema/api/endpoint.ts';
import type { CallerFacts } from '../store/rights/callers.ts';
import { judge } from './permission.ts';

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';
const OTHER = 'c-gccccccccccdddddddd';

const principal = (change: Partial<Principal> = {}): Principal => ({
  user: 'u-aaaaaaaaaa',
  token: 't-bbbbbbbbbb',
  issuedAt: 1000,
  expiresAt: 2000,
  cluster: null,
  readOnly: false,
  accessVersion: 0,
  ...change,
});

const facts = (change: Partial<CallerFacts> = {}): CallerFacts => ({
  username: 'name',
  administrator: false,
  enabled: true,
  passwordPending: false,
  notBefore: 0,
  tokenKind: 'session',
  tokenRevoked: false,
  session: null,
  clusterExists: true,
  role: null,
  permissions: new Set(),
  ...change,
});

/** `ok`, or the code of the refusal. */
function verdict(
  endpoint: { who: Who; scope: Scope },
  bearer: Principal,
  known: CallerFacts | null,
  cluster: string | null = CLUSTER,
): string {
  try {
    judge(endpoint, bearer, known, cluster);
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const anything = (who: Who) => ({ who, scope: 'anything' as const });

test.each<[Who, Partial<CallerFacts>, string]>([
  ['person', {}, 'ok'],
  ['administrator', {}, 'forbidden'],
  ['administrator', { role: 'owner' }, 'forbidden'],
  ['administrator', { administrator: true }, 'ok'],
  ['users.manage', {}, 'forbidden'],
  ['users.manage', { role: 'owner' }, 'forbidden'],
  ['users.manage', { permissions: new Set(['roles.manage', 'clusters.create']) }, 'forbidden'],
  ['users.manage', { permissions: new Set(['users.manage']) }, 'ok'],
  ['cluster-member', {}, 'unknown_cluster'],
  ['cluster-member', { role: 'member' }, 'ok'],
  ['cluster-member', { role: 'owner' }, 'ok'],
  ['cluster-member', { administrator: true }, 'ok'],
  ['cluster-member', { administrator: true, clusterExists: false }, 'unknown_cluster'],
  ['cluster-owner', {}, 'unknown_cluster'],
  ['cluster-owner', { role: 'member' }, 'forbidden'],
  ['cluster-owner', { role: 'owner' }, 'ok'],
  ['cluster-owner', { administrator: true }, 'ok'],
  ['cluster-owner', { administrator: true, clusterExists: false }, 'unknown_cluster'],
])('%s, for somebody with %o: %s', (who, change, expected) => {
  expect(verdict(anything(who), principal(), facts(change))).toBe(expected);
});

test.each<[string, Principal, CallerFacts | null]>([
  ['an account that is gone', principal(), null],
  ['a disabled account', principal(), facts({ administrator: true, enabled: false })],
  ['a revoked token', principal(), facts({ administrator: true, tokenRevoked: true })],
  ['a token from before the password was changed', principal(), facts({ administrator: true, notBefore: 1001 })],
])('%s gets nowhere', (_what, bearer, known) => {
  for (const who of ['person', 'administrator', 'cluster-owner'] as const) {
    expect(verdict(anything(who), bearer, known)).toBe('unauthenticated');
  }
});

test('a read-only token reads, and makes nothing, whoever it belongs to', () => {
  const readOnly = principal({ readOnly: true });
  const administrator = facts({ administrator: true });
  expect(verdict({ who: 'cluster-owner', scope: 'reads' }, readOnly, administrator)).toBe('ok');
  expect(verdict(anything('cluster-owner'), readOnly, administrator)).toBe('read_only');
  expect(verdict({ who: 'person', scope: 'self' }, readOnly, administrator)).toBe('ok');
});

test('a token for one cluster reads that cluster alone, whoever it belongs to', () => {
  const scoped = principal({ cluster: CLUSTER });
  const administrator = facts({ administrator: true });
  const reads = { who: 'cluster-member', scope: 'reads' } as const;
  expect(verdict(reads, scoped, administrator, CLUSTER)).toBe('ok');
  expect(verdict(reads, scoped, administrator, OTHER)).toBe('wrong_scope');
  expect(verdict({ who: 'person', scope: 'reads' }, scoped, administrator, null)).toBe('wrong_scope');
  expect(verdict(anything('cluster-owner'), scoped, administrator, CLUSTER)).toBe('wrong_scope');
  expect(verdict({ who: 'person', scope: 'self' }, scoped, administrator, null)).toBe('ok');
});
