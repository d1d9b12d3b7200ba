import { expect, test } from 'vitest';
import { AuditEvent } from '#schema/audit/event.ts';
import { signIn } from '#schema/api/account/auth.ts';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import type { Endpoint } from '#schema/api/endpoint.ts';
import { getKubeconfig } from '#schema/api/account/tokens.ts';
import { endBrowserSignIn } from '#schema/api/providers/browser.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { isRecorded, planeEvent, subjectOf, withResult } from './plane.ts';

const createUser = endpointsOf(UserKind).create;

const event = (
  endpoint: Endpoint,
  input: { params?: unknown; query?: unknown; body?: unknown },
  level: AuditEvent['level'],
) =>
  planeEvent({
    endpoint,
    level,
    requestId: 'aaaabbbbccccdddd',
    user: { username: 'ada', uid: 'u-aaaaaaaaaa' },
    address: null,
    userAgent: null,
    at: 0,
    input: { params: {}, query: {}, body: {}, ...input },
  });

test('what changes something is recorded, and what hands out a credential', () => {
  expect([createUser, signIn, getKubeconfig].map(isRecorded)).toEqual([true, true, true]);
  expect(isRecorded(endpointsOf(TokenKind).list)).toBe(false);
});

test.each([
  ['/v1/users', { resource: 'users' }],
  ['/v1/users/{user}', { resource: 'users', name: 'u-1' }],
  ['/v1/users/{user}/sessions', { resource: 'users', name: 'u-1', subresource: 'sessions' }],
  ['/v1/clusters/{cluster}', { resource: 'clusters', name: 'c-1' }],
  ['/v1/clusters/{cluster}/kubeconfig', { resource: 'kubeconfig' }],
  ['/v1/clusters/{cluster}/members/{user}', { resource: 'members', name: 'u-1' }],
  ['/v1/auth/local', { resource: 'auth', subresource: 'local' }],
  ['/connect/register', { resource: 'connect', subresource: 'register' }],
])('%s is about %o', (path, expected) => {
  const params = new Map([
    ['user', 'u-1'],
    ['cluster', 'c-1'],
  ]);
  expect(subjectOf(path, params)).toEqual({ apiGroup: 'outrider.dev', apiVersion: 'v1', ...expected });
});

test('level Metadata has nothing of what was sent', () => {
  const body = { metadata: { name: 'bob' }, spec: { password: 'hunter2hunter2', administrator: true } };
  expect(event(createUser, { body }, 'Metadata')).not.toHaveProperty('requestObject');
});

// Taken out: the redaction. Both failed.
test('level Request has what the schema says to be plain', () => {
  const body = { metadata: { name: 'bob' }, spec: { password: 'hunter2hunter2', administrator: true } };
  const made = event(createUser, { body }, 'Request');
  expect(made.requestObject).toEqual({
    metadata: { name: 'bob' },
    spec: { password: '[redacted]', administrator: true },
  });
  expect(AuditEvent.parse(made)).toEqual(made);
});

test('what is typed at a sign-in is not written: people type passwords into the name field', () => {
  const body = { username: 'hunter2', password: 'hunter2', newPassword: 'hunter2hunter2' };
  expect(JSON.stringify(event(signIn, { body }, 'Request'))).not.toContain('hunter2');
});

// Taken out: `shortened`. It failed.
test('however long a part of a path is, the event has the shape that is read back', () => {
  const long = '😀'.repeat(8192);
  const params = { name: long, provider: long };
  const made = event({ ...endBrowserSignIn, path: '/v1/providers/{name}' }, { params }, 'Metadata');
  expect(AuditEvent.parse(made)).toEqual(made);
  expect(made.objectRef?.name).toBe('😀'.repeat(128));
  expect(AuditEvent.safeParse(event(endBrowserSignIn, { params }, 'Metadata')).success).toBe(true);
  expect(JSON.stringify(made).length).toBeLessThan(10_000);
});

test('a query is written as far as its schema allows', () => {
  const params = { cluster: 'c-gaaaaaaaaaabbbbbbbb' };
  expect(event(getKubeconfig, { params, query: { ttl: 60, readonly: true } }, 'Metadata')).toMatchObject({
    requestURI: '/v1/clusters/c-gaaaaaaaaaabbbbbbbb/kubeconfig?ttl=60&readonly=true',
    annotations: { 'outrider.dev/cluster': 'c-gaaaaaaaaaabbbbbbbb' },
  });
});

test('what was made is named by its result, and nothing else of that is written', () => {
  const made = withResult(
    event(endpointsOf(ClusterKind).create, { body: { metadata: { name: 'prod' }, spec: {} } }, 'Request'),
    {
      id: 'c-gaaaaaaaaaabbbbbbbb',
      importUrl: 'hunter2',
    },
  );
  expect(made).toMatchObject({
    objectRef: { resource: 'clusters', name: 'c-gaaaaaaaaaabbbbbbbb' },
    annotations: { 'outrider.dev/cluster': 'c-gaaaaaaaaaabbbbbbbb' },
  });
  const token = withResult(event(endpointsOf(TokenKind).create, {}, 'Metadata'), {
    id: 't-aaaaaaaaaa',
    spec: { cluster: null },
    token: 'hunter2',
  });
  expect(token).toMatchObject({ objectRef: { resource: 'tokens', name: 't-aaaaaaaaaa' }, annotations: {} });
  expect(JSON.stringify([made, token])).not.toContain('hunter2');
});
