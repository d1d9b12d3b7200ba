import { expect, test } from 'vitest';
import type { AccessSnapshot, Principal } from '#schema/access.ts';
import { LiveRequests } from './live.ts';

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';
const ada: Principal = {
  user: 'u-aaaaaaaaaa',
  token: 't-aaaaaaaaaa',
  issuedAt: 1000,
  expiresAt: 2000,
  cluster: null,
  readOnly: false,
  accessVersion: 1,
};
const facts = { method: 'GET', target: '/api/v1/pods?watch=true', upgrade: false };
const identity = { user: ada.user, groups: ['a', 'b'], username: 'ada', token: ada.token };
const snapshot = (change: Partial<AccessSnapshot>): AccessSnapshot => ({
  version: 2,
  cluster: { id: CLUSTER, name: 'prod', agentGeneration: 1 },
  people: { [ada.user]: { username: 'ada', enabled: true, groups: ['a', 'b', 'c'], notBefore: 0 } },
  revokedTokens: {},
  ...change,
});

function refusals(next: AccessSnapshot): string[] {
  const heard: string[] = [];
  const requests = new LiveRequests();
  requests.begin({ principal: ada, facts, identity }).watch((refusal) => heard.push(refusal.code));
  requests.judge(next);
  return heard;
}

test('a request goes on while its person keeps access', () => {
  expect(refusals(snapshot({}))).toEqual([]);
});

test.each([
  ['its token is revoked', snapshot({ revokedTokens: { [ada.token]: 2000 } }), 'unauthenticated'],
  ['its person loses access', snapshot({ people: {} }), 'no_access'],
  [
    'its person loses a group that it was sent with',
    snapshot({ people: { [ada.user]: { username: 'ada', enabled: true, groups: ['b', 'c'], notBefore: 0 } } }),
    'no_access',
  ],
  [
    'its person is disabled',
    snapshot({ people: { [ada.user]: { username: 'ada', enabled: false, groups: [], notBefore: 0 } } }),
    'unauthenticated',
  ],
])('a request ends when %s', (_, next, code) => {
  expect(refusals(next)).toEqual([code]);
});

test('whoever has stopped watching hears nothing', () => {
  const requests = new LiveRequests();
  const stop = requests.begin({ principal: ada, facts, identity }).watch(() => expect.unreachable());
  stop();
  requests.judge(snapshot({ revokedTokens: { [ada.token]: 2000 } }));
  expect(requests.size).toBe(0);
});
