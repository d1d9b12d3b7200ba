import { describe, expect, it } from 'vitest';
import type { Field } from '#schema/protocol/codec/head.ts';
import { judgeIdentity } from './identity.ts';

// Checked by taking out, one at a time: the count of users, white space and case in what is reserved, and the refusal of unknown fields. Each time a row failed.
const USER: Field = ['impersonate-user', 'u-abcdefghij'];
const group = (value: string): Field => ['impersonate-group', value];

describe('the agent impersonates', () => {
  it.each([
    ['a person', [USER]],
    ['with groups', [USER, group('outrider.dev:cluster-owner'), group('github_team://42')]],
    ['with the one system: group that carries no power', [USER, group('system:authenticated')]],
    [
      'with extras and uid',
      [USER, ['impersonate-extra-outrider.dev%2fusername', 'system:admin'], ['impersonate-uid', '1']],
    ],
    ['somebody whose name only contains it', [['impersonate-user', 'my-system:user']]],
    ['beside fields of other kinds', [['accept', 'system:masters'], USER]],
  ] as [string, Field[]][])('%s', (_case, fields) => {
    expect(judgeIdentity(fields)).toEqual({ allowed: true });
  });
});

describe('the agent never impersonates', () => {
  it.each([
    ['nobody: the request would run as the agent', []],
    ['nobody, with groups', [group('a')]],
    ['an empty user', [['impersonate-user', '']]],
    ['a blank user', [['impersonate-user', ' \t']]],
    ['two users', [USER, USER]],
    ['two users, the second system:', [USER, ['impersonate-user', 'system:admin']]],
    ['system:admin', [['impersonate-user', 'system:admin']]],
    ['a service account', [['impersonate-user', 'system:serviceaccount:kube-system:default']]],
    ['a node', [['impersonate-user', 'system:node:a']]],
    ['System:admin', [['impersonate-user', 'System:admin']]],
    ['SYSTEM:admin', [['impersonate-user', 'SYSTEM:admin']]],
    [' system:admin', [['impersonate-user', ' system:admin']]],
    ['system:admin behind a tab', [['impersonate-user', '\tsystem:admin']]],
    ['system:admin behind a no-break space', [['impersonate-user', '\u00a0system:admin']]],
    ['system:admin behind a zero width space', [['impersonate-user', '\u200bsystem:admin']]],
    ['system:masters', [USER, group('system:masters')]],
    ['System:Masters', [USER, group('System:Masters')]],
    [' system:masters', [USER, group(' system:masters')]],
    ['system:masters after other groups', [USER, group('a'), group('system:authenticated'), group('system:masters')]],
    ['system:authenticated spelt otherwise', [USER, group('System:authenticated')]],
    ['system:authenticated with white space', [USER, group('system:authenticated ')]],
    ['system:unauthenticated', [USER, group('system:unauthenticated')]],
    ['system:nodes', [USER, group('system:nodes')]],
    ['an empty group', [USER, group('')]],
    ['by a field that it does not know', [USER, ['impersonate-scopes', 'x']]],
    ['by a field name in upper case', [USER, ['Impersonate-Group', 'system:masters']]],
    ['by a field name with white space', [USER, ['impersonate-group ', 'system:masters']]],
  ] as [string, Field[]][])('%s', (_case, fields) => {
    expect(judgeIdentity(fields)).toMatchObject({ allowed: false });
  });

  it('and does not repeat the name: it goes back over the wire', () => {
    const verdict = judgeIdentity([['impersonate-user', 'system:hunter2']]);
    expect(JSON.stringify(verdict)).not.toContain('hunter2');
  });
});
