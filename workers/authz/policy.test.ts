import { expect, test } from 'vitest';
import type { AccessSnapshot, Principal } from '#schema/access.ts';
import { decide } from './policy.ts';
import type { RequestFacts } from './read-only.ts';

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';
const NOW = 1_000_000;
const GET: RequestFacts = { method: 'GET', target: '/api/v1/pods', upgrade: false };

const snapshot: AccessSnapshot = {
  version: 5,
  cluster: { id: CLUSTER, name: 'prod', agentGeneration: 1 },
  people: {
    'u-aaaaaaaaaa': { username: 'ada', enabled: true, groups: ['outrider.dev:cluster-owner'], notBefore: 0 },
    'u-bbbbbbbbbb': { username: 'bob', enabled: false, groups: [], notBefore: 0 },
  },
  revokedTokens: { 't-revokedxxx': NOW + 100 },
};

const ada: Principal = {
  user: 'u-aaaaaaaaaa',
  token: 't-aaaaaaaaaa',
  issuedAt: NOW - 10,
  expiresAt: NOW + 10,
  cluster: null,
  readOnly: false,
  accessVersion: 5,
};

test('a person with access is let in as themselves, with their groups', () => {
  expect(decide(snapshot, ada, GET, NOW)).toEqual({
    allow: true,
    identity: {
      user: 'u-aaaaaaaaaa',
      groups: ['outrider.dev:cluster-owner'],
      username: 'ada',
      token: 't-aaaaaaaaaa',
    },
  });
});

test.each<[string, Partial<Principal>, string]>([
  ['a token for another cluster', { cluster: 'c-gzzzzzzzzzzzzzzzzzz' }, 'wrong_scope'],
  ['an expired token', { expiresAt: NOW }, 'unauthenticated'],
  ['a revoked token', { token: 't-revokedxxx' }, 'unauthenticated'],
  ['a person without access', { user: 'u-cccccccccc' }, 'no_access'],
  ['a disabled person', { user: 'u-bbbbbbbbbb' }, 'unauthenticated'],
])('%s is refused', (_, change, code) => {
  expect(decide(snapshot, { ...ada, ...change }, GET, NOW)).toMatchObject({ allow: false, code });
});

test('a token from before the revocation of all of its owner is refused', () => {
  const people = { 'u-aaaaaaaaaa': { username: 'ada', enabled: true, groups: [], notBefore: NOW - 9 } };
  expect(decide({ ...snapshot, people }, ada, GET, NOW)).toMatchObject({ allow: false, code: 'unauthenticated' });
});

test('a person that only a newer snapshot can know is unknown, not refused', () => {
  expect(decide(snapshot, { ...ada, user: 'u-cccccccccc', accessVersion: 6 }, GET, NOW)).toEqual({ allow: 'unknown' });
});

test.each(['constructor', '__proto__', 'toString'])('the property %s of an object is no person', (user) => {
  expect(decide(snapshot, { ...ada, user }, GET, NOW)).toMatchObject({ allow: false, code: 'no_access' });
});

const readOnly = (method: string, target: string, upgrade = false): boolean =>
  decide(snapshot, { ...ada, readOnly: true }, { method, target, upgrade }, NOW).allow === true;

test.each([
  ['GET', '/api/v1/namespaces/default/pods?watch=true'],
  ['GET', '/api/v1/namespaces/default/pods/web/log?follow=true'],
  ['GET', '/api/v1/namespaces/proxy'],
  ['GET', '/api/v1/namespaces/default/configmaps/exec'],
  ['GET', '/api/v1/watch/namespaces/default/pods/proxy'],
  ['HEAD', '/healthz'],
  ['GET', '/apis/apps/v1/deployments'],
  ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
  ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
])('a read-only token may %s %s', (method, target) => {
  expect(readOnly(method, target)).toBe(true);
});

test.each([
  ['POST', '/api/v1/namespaces/default/pods'],
  ['PATCH', '/api/v1/nodes/n1'],
  ['DELETE', '/api/v1/namespaces/default'],
  ['POST', '/api/v1/namespaces/default/pods/web/exec'],
  ['GET', '/api/v1/namespaces/default/pods/web/exec?command=sh'],
  ['GET', '/api/v1/namespaces/default/pods/web/%65xec'],
  ['GET', '/api/v1/namespaces/default/pods/web%2Fexec'],
  ['GET', '/api/v1/namespaces/default/pods/web/attach'],
  ['GET', '/api/v1/namespaces/default/pods/web/portforward'],
  ['GET', '/api/v1/namespaces/default/services/http:web:80/proxy/'],
  ['GET', '/api/v1/nodes/n1/proxy/run/default/web/sh'],
  ['GET', '/api/v1/proxy/namespaces/default/pods/web'],
  ['GET', '/api/v1/namespaces/default//pods/web/exec'],
  ['GET', '/api/v1/namespaces/default/pods/web/exec%'],
  ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews'],
])('a read-only token may not %s %s', (method, target) => {
  expect(readOnly(method, target)).toBe(false);
});

test('attack: exec by GET over WebSocket with a read-only token is refused', () => {
  expect(readOnly('GET', '/api/v1/namespaces/default/pods/web/exec', true)).toBe(false);
  expect(readOnly('GET', '/api/v1/pods', true)).toBe(false);
});
