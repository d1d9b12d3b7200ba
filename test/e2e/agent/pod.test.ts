import { createPublicKey, createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '#scripts/demo/processes.ts';
import { writeAgentImage } from '#scripts/image/agent.ts';
import { type AuditEvent, AuditLog } from '../../support/audit.ts';
import { register, startWorld, type World } from '../../support/worlds/world.ts';

const IMAGE = 'docker.io/outrider/agent:e2e';
const NAMESPACE = ['-n', 'outrider-system'];
const DEPLOYMENT = 'deployment/outrider-agent';

let world: World;

/** The agent as a person runs it: the image that is built here, by the manifest that the plane gives out. */
beforeAll(async () => {
  world = await startWorld({ agent: 'none', agentImage: IMAGE });
  const archive = join(world.dir, 'agent.tar');
  await writeAgentImage({ file: archive, name: IMAGE });
  await world.cluster.loadImage(archive);
  const { pathname } = new URL((await register(world.api, world.clusterId)).importUrl);
  await world.admin.ok(['apply', '-f', '-'], { input: await world.api.text('GET', pathname) });
  await world.admin.ok([...NAMESPACE, 'rollout', 'status', DEPLOYMENT, '--timeout=60s']);
});
afterAll(async () => world?.stop());

interface Pod {
  metadata: { name: string; deletionTimestamp?: string };
  status: { phase: string; containerStatuses?: { restartCount: number }[] };
}

async function pods(): Promise<Pod[]> {
  const { items } = await world.admin.json<{ items: Pod[] }>([...NAMESPACE, 'get', 'pods']);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** A value of a pod's `/metrics`. */
async function metric(pod: string, name: string): Promise<number> {
  const path = `/api/v1/namespaces/outrider-system/pods/${pod}:8081/proxy/metrics`;
  const text = await world.admin.ok(['get', '--raw', path]);
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

async function bothConnected(): Promise<string[]> {
  let names: string[] = [];
  const connected = async (): Promise<boolean> => {
    names = (await pods()).map(({ metadata }) => metadata.name);
    const values = await Promise.all(names.map((pod) => metric(pod, 'outrider_agent_tunnel_connected').catch(() => 0)));
    return names.length === 2 && values.every((value) => value === 1);
  };
  await waitUntil('two agents with a tunnel', connected, { withinMs: 60_000 });
  return names;
}

/** Asks through the plane without pause until told to stop; gives what went wrong. */
function askThroughout(): { stop(): Promise<{ asked: number; failed: string[] }> } {
  const stopping = new AbortController();
  let asked = 0;
  const failed: string[] = [];
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      asked++;
      const { code, stderr } = await world.owner.through.kubectl(['get', '--raw', '/api/v1/namespaces/default']);
      if (code !== 0) failed.push(stderr);
    }
  };
  const running = Promise.all([loop(), loop()]);
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return { asked, failed };
    },
  };
}

test('two replicas connect under restricted pod security, and requests go through the plane', async () => {
  await bothConnected();
  expect(await world.owner.through.ok(['get', 'nodes', '-o', 'name'])).toMatch(/^node\//);
  const whoami = await world.owner.through.ok(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}']);
  expect(whoami).toBe(world.owner.id);
});

test('an idle replica holds at most 80 MiB', async () => {
  for (const pod of await bothConnected()) {
    expect(await metric(pod, 'process_resident_memory_bytes')).toBeLessThanOrEqual(80 * 1024 * 1024);
  }
});

test('both replicas have one key, whose private half is in its Secret and nowhere else', async () => {
  const secret = await world.admin.json<{ data: Record<string, string> }>([
    ...NAMESPACE,
    'get',
    'secret',
    'outrider-agent',
  ]);
  expect(Object.keys(secret.data).toSorted()).toEqual(['cluster', 'credential', 'privateKey']);
  const key = createPrivateKey({
    key: Buffer.from(secret.data['privateKey']!, 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
  const [, payload] = Buffer.from(secret.data['credential']!, 'base64').toString().split('.');
  const claims = Buffer.from(payload!, 'base64url').toString();
  expect(claims).toContain(String(createPublicKey(key).export({ format: 'jwk' }).x));
  expect(claims).not.toContain(String(key.export({ format: 'jwk' }).d));
  for (const { metadata } of await pods()) {
    const log = await world.admin.ok([...NAMESPACE, 'logs', metadata.name]);
    expect(log).not.toContain(secret.data['privateKey']);
    expect(log).not.toContain(Buffer.from(secret.data['credential']!, 'base64').toString());
  }
});

test('each account does what it is for and nothing else', async () => {
  await world.owner.through.ok(['get', 'namespaces']);
  const events = await new AuditLog(world.cluster.auditLog).events('');
  const by = (account: string): AuditEvent[] =>
    events.filter(({ user }) => user.username === `system:serviceaccount:outrider-system:${account}`);
  const asked = (list: AuditEvent[]): string[] =>
    [...new Set(list.map(({ verb, requestURI }) => `${verb} ${requestURI}`))].toSorted();
  const accounts = '/api/v1/namespaces/outrider-system/serviceaccounts';
  expect(asked(by('outrider-agent'))).toEqual([
    `create ${accounts}/outrider-manager/token`,
    `create ${accounts}/outrider-proxy/token`,
  ]);
  expect(asked(by('outrider-manager'))).toEqual([
    'get /api/v1/namespaces/kube-system',
    'get /api/v1/namespaces/outrider-system/secrets/outrider-agent',
    'get /version',
    'update /api/v1/namespaces/outrider-system/secrets/outrider-agent',
  ]);
  const proxied = by('outrider-proxy');
  expect(proxied.length).toBeGreaterThan(0);
  expect(proxied.filter(({ impersonatedUser }) => impersonatedUser === undefined)).toEqual([]);
});

test('no request fails while every replica is replaced', async () => {
  const before = await bothConnected();
  const asking = askThroughout();
  await world.admin.ok([...NAMESPACE, 'rollout', 'restart', DEPLOYMENT]);
  await world.admin.ok([...NAMESPACE, 'rollout', 'status', DEPLOYMENT, '--timeout=120s']);
  await waitUntil(
    'the old replicas to be gone',
    async () => (await pods()).every(({ metadata }) => !before.includes(metadata.name)),
    { withinMs: 60_000 },
  );
  await bothConnected();
  const { asked, failed } = await asking.stop();
  expect(failed).toEqual([]);
  expect(asked).toBeGreaterThan(10);
});

test('no replica has restarted by itself', async () => {
  for (const { status } of await pods()) expect(status.containerStatuses?.[0]?.restartCount).toBe(0);
});
