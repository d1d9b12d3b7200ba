import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubeconfig } from './kubeconfig.ts';
import type { KnownCaller } from '../handler.ts';
import { lifeFor } from '../account/mint.ts';

const facts = { name: 'first', server: 'https://plane.example.com/k8s/clusters/c-x', ca: null, token: 'a.b.c' };

test('cluster, user and context have the name of the cluster, and the context is current', () => {
  expect(parse(kubeconfig(facts))).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'first', cluster: { server: facts.server } }],
    users: [{ name: 'first', user: { token: 'a.b.c' } }],
    contexts: [{ name: 'first', context: { cluster: 'first', user: 'first' } }],
    'current-context': 'first',
  });
});

test('a CA of our own goes along in base64', () => {
  const ca = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  const { clusters } = parse(kubeconfig({ ...facts, ca }));
  expect(Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64').toString()).toBe(ca);
});

test.each(['on', 'null', '12345678', '1e3', '0x10', '12-30', 'a"\n---\nkind: Secret'])(
  'a cluster named %o keeps its name in YAML 1.1, which kubectl reads, and in 1.2',
  (name) => {
    const text = kubeconfig({ ...facts, name });
    for (const version of ['1.1', '1.2'] as const) expect(parse(text, { version })['current-context']).toBe(name);
  },
);

const caller = (tokenKind: 'session' | 'api' | null): KnownCaller => ({
  principal: {
    user: 'u-aaaaaaaaaa',
    token: 't-aaaaaaaaaa',
    issuedAt: 1001,
    expiresAt: 1600,
    cluster: null,
    readOnly: false,
    accessVersion: 0,
  },
  facts: {
    username: 'name',
    administrator: false,
    enabled: true,
    passwordPending: false,
    notBefore: 1001,
    tokenKind,
    tokenRevoked: false,
    session: null,
    clusterExists: true,
    role: 'member',
    permissions: new Set(),
  },
});

test('a session makes tokens that outlive it; a token makes none that outlive it, or a stolen one renewed itself', () => {
  expect(lifeFor(caller('session'), 1100, 3600).expiresAt).toBe(4700);
  expect(lifeFor(caller('api'), 1100, 3600).expiresAt).toBe(1600);
  expect(lifeFor(caller('api'), 1100, 60).expiresAt).toBe(1160);
});

test('a token made in the second of a change of password is not taken for an older one', () => {
  expect(lifeFor(caller('session'), 1000, 60).createdAt).toBe(1001);
});
