import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoCluster, startCluster } from '#scripts/demo/cluster.ts';
import { manifest, type ManifestFacts } from '#workers/connect/manifest/manifest.ts';

const FACTS: ManifestFacts = {
  cluster: { id: 'c-gaaaaaaaaaabbbbbbbb', name: 'first' },
  server: 'https://plane.example.com',
  ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  image: 'docker.io/outrider/agent:1',
  registrationToken: 'a'.repeat(32),
};

let dir: string;
let cluster: DemoCluster;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outrider-manifest-'));
  cluster = await startCluster({ dir, log: () => {}, apiOnly: true });
  await apply(FACTS);
});

afterAll(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function kubectl(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args);
  expect({ args, stderr: code === 0 ? '' : stderr, code }).toEqual({ args, stderr: '', code: 0 });
  return stdout.trim();
}

/** As a person pastes it; any warning (Pod Security, deprecations) is a failure. */
async function apply(facts: ManifestFacts): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(['apply', '-f', '-'], { input: await manifest(facts) });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return stdout;
}

async function can(who: readonly string[], verb: string, ...what: string[]): Promise<boolean> {
  const { stdout } = await cluster.kubectl(['auth', 'can-i', verb, ...what, ...who]);
  return stdout.trim() === 'yes';
}

const account = (name: string): string[] => ['--as', `system:serviceaccount:outrider-system:${name}`];

test('a second apply changes nothing, and a new token restarts the pods', async () => {
  const again = await apply(FACTS);
  // kubectl replaces a budget's spec whole and calls that a change, for any manifest.
  const quirk = 'poddisruptionbudget.policy/outrider-agent configured';
  expect(again.split('\n').filter((line) => line !== '' && line !== quirk && !line.endsWith(' unchanged'))).toEqual([]);
  const checksum = async (): Promise<string> =>
    await kubectl(
      '-n',
      'outrider-system',
      'get',
      'deploy',
      'outrider-agent',
      '-o',
      'jsonpath={.spec.template.metadata}',
    );
  const before = await checksum();
  await apply({ ...FACTS, registrationToken: 'b'.repeat(32) });
  expect(await checksum()).not.toBe(before);
});

test('a second apply leaves the key alone that the agent has put into its secret', async () => {
  const patch = JSON.stringify({ data: { privateKey: 'a2V5' } });
  await kubectl('-n', 'outrider-system', 'patch', 'secret', 'outrider-agent', '-p', patch, '--field-manager=agent');
  await apply({ ...FACTS, registrationToken: 'c'.repeat(32) });
  expect(
    await kubectl('-n', 'outrider-system', 'get', 'secret', 'outrider-agent', '-o', 'jsonpath={.data.privateKey}'),
  ).toBe('a2V5');
});

const namespaced = ['-n', 'outrider-system'];

test.each<[string, string[], boolean]>([
  ['outrider-agent', ['create', 'serviceaccounts/outrider-proxy', '--subresource=token', ...namespaced], true],
  ['outrider-agent', ['create', 'serviceaccounts/outrider-manager', '--subresource=token', ...namespaced], true],
  ['outrider-agent', ['create', 'serviceaccounts/default', '--subresource=token', ...namespaced], false],
  ['outrider-agent', ['create', 'serviceaccounts/outrider-proxy', '--subresource=token', '-n', 'kube-system'], false],
  ['outrider-agent', ['get', 'secrets/outrider-agent', ...namespaced], false],
  ['outrider-agent', ['impersonate', 'users'], false],
  ['outrider-manager', ['get', 'namespaces/kube-system'], true],
  ['outrider-manager', ['get', 'namespaces/default'], false],
  ['outrider-manager', ['list', 'namespaces'], false],
  ['outrider-manager', ['get', 'secrets/outrider-agent', ...namespaced], true],
  ['outrider-manager', ['update', 'secrets/outrider-agent', ...namespaced], true],
  ['outrider-manager', ['get', 'secrets/outrider-registration', ...namespaced], false],
  ['outrider-manager', ['list', 'secrets', ...namespaced], false],
  ['outrider-manager', ['impersonate', 'users'], false],
  ['outrider-proxy', ['impersonate', 'users'], true],
  ['outrider-proxy', ['impersonate', 'groups'], true],
  ['outrider-proxy', ['impersonate', 'serviceaccounts'], false],
  ['outrider-proxy', ['get', 'pods'], false],
])('the account %s: %o → %s', async (name, what, allowed) => {
  const [verb = '', ...rest] = what;
  expect(await can(account(name), verb, ...rest)).toBe(allowed);
});

test.each([
  ['outrider.dev/username', true],
  ['outrider.dev/token', true],
  ['scopes', false],
])('the account outrider-proxy may impersonate the extra field %s: %s', async (subresource, allowed) => {
  // What the API server asks for each Impersonate-Extra-*; `auth can-i` knows no resource of that name.
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: 'system:serviceaccount:outrider-system:outrider-proxy',
      resourceAttributes: { group: 'authentication.k8s.io', resource: 'userextras', subresource, verb: 'impersonate' },
    },
  };
  const args = ['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'];
  const { stdout } = await cluster.kubectl(args, { input: JSON.stringify(review) });
  expect(stdout).toBe(String(allowed));
});

test("the plane's owners may do everything, its members nothing that nobody granted", async () => {
  const as = (group: string): string[] => ['--as', 'u-aaaaaaaaaa', '--as-group', group];
  expect(await can(as('outrider.dev:cluster-owner'), '*', '*')).toBe(true);
  expect(await can(as('outrider.dev:cluster-member'), 'get', 'pods')).toBe(false);
});
