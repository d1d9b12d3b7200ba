import { expect, test } from 'vitest';
import { AccessSnapshot } from '#schema/access.ts';
import { snapshotOf } from './snapshot.ts';

const person = (id: string, change: object = {}) => ({
  id,
  username: `name of ${id}`,
  administrator: false,
  enabled: true,
  not_before: 0,
  role: null,
  ...change,
});

test('owners, administrators and members get their groups, and what was taken back is there', () => {
  const snapshot = snapshotOf({
    version: 9,
    cluster: { id: 'c-gaaaaaaaaaabbbbbbbb', name: 'first', agent_generation: 2 },
    people: [
      person('u-aaaaaaaaaa', { administrator: true }),
      person('u-bbbbbbbbbb', { role: 'owner', not_before: 5 }),
      person('u-cccccccccc', { role: 'member', enabled: false }),
      person('u-dddddddddd', { role: 'read-only' }),
    ],
    groups: [{ user_id: 'u-dddddddddd', group_principal: 'github_team://42' }],
    revoked: [{ id: 't-aaaaaaaaaa', expires_at: 77 }],
  });
  expect(AccessSnapshot.parse(snapshot)).toEqual(snapshot);
  const owner = ['outrider.dev:cluster-owner'];
  expect(snapshot.people['u-aaaaaaaaaa']?.groups).toEqual(owner);
  expect(snapshot.people['u-bbbbbbbbbb']).toMatchObject({ groups: owner, notBefore: 5 });
  expect(snapshot.people['u-cccccccccc']).toMatchObject({ groups: ['outrider.dev:cluster-member'], enabled: false });
  expect(snapshot.people['u-dddddddddd']?.groups).toEqual(['outrider.dev:cluster-read-only', 'github_team://42']);
  expect(snapshot).toMatchObject({
    version: 9,
    cluster: { agentGeneration: 2 },
    revokedTokens: { 't-aaaaaaaaaa': 77 },
  });
});
