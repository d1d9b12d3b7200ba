import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { waitUntil } from '#scripts/demo/processes.ts';
import { writeAgentImage } from '#scripts/image/agent.ts';
import { run } from '../support/processes/program.ts';
import { register, startWorld, type World } from '../support/worlds/world.ts';

const IMAGE = 'docker.io/outrider/agent:import';
const NAMESPACE = ['-n', 'outrider-system'];
const ROLLED_OUT = [...NAMESPACE, 'rollout', 'status', 'deployment/outrider-agent', '--timeout=90s'];
/** A pod starts, registers and dials; on a busy machine. */
const CONNECTED_WITHIN_MS = 60_000;

const tunnels = z.object({ items: z.array(z.object({ instance: z.string(), state: z.string() })) });
const podList = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

let world: World;

beforeAll(async () => {
  world = await startWorld({ agent: 'none', agentImage: IMAGE });
  const archive = join(world.dir, 'agent.tar');
  await writeAgentImage({ file: archive, name: IMAGE });
  await world.cluster.loadImage(archive);
});
afterAll(async () => world?.stop());

test('the printed command imports the cluster: two agents of which one serves and one stands by', async () => {
  const { importCommand } = await register(world.api, world.clusterId);
  await paste(importCommand);
  await world.admin.ok(ROLLED_OUT);
  expect(await connected(world.clusterId, 2)).toEqual(['active', 'standby']);
  expect(await world.owner.through.ok(['get', 'nodes', '-o', 'name'])).toBe('node/demo-node\n');
});

test('before it is imported, and with every agent gone, kubectl hears that there is no tunnel', async () => {
  const [, other] = await anotherCluster('empty');
  const { code, stderr } = await other(['get', 'nodes']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/ServiceUnavailable|not connected|no agent/);
});

test('when the pod that serves is deleted no request fails, and an informer misses nothing', async () => {
  const { owner, admin } = world;
  const flags = { namespace: 'default', selector: 'import=yes' };
  const informer = owner.through.startClientGo('informer', flags);
  await informer.printed(/"type":"synced"/);
  const churn = admin.startClientGo('churn', {
    namespace: 'default',
    name: 'churn',
    label: 'import=yes',
    count: 400,
    rate: 20,
  });
  const asking = ask();
  const before = await agentPods();
  for (const pod of before) {
    // One after the other: whichever serves is among them. It goes on until its streams have ended, or may not go on.
    await admin.ok([...NAMESPACE, 'delete', 'pod', pod, '--wait=false']);
    await admin.ok(ROLLED_OUT);
    await connected(world.clusterId, 2);
  }
  await admin.ok([...NAMESPACE, 'wait', '--for=delete', ...before.map((pod) => `pod/${pod}`), '--timeout=60s']);
  expect((await churn.exited).code).toBe(0);
  await admin.ok(['create', 'configmap', 'end']);
  await admin.ok(['label', 'configmap', 'end', 'import=yes']);
  await informer.printed(/"name":"end"/);
  const { asked, failures } = await asking.stop();
  console.log(`${asked} requests while both pods were replaced`);
  expect(failures).toEqual([]);
  const last = await informer.end();
  expect(stateOf(last.stdout)).toEqual(await stateInCluster());
});

test('when all agents die at once a request waits for the next one, or fails with a status that says so', async () => {
  const { admin, owner } = world;
  const asking = ask();
  await admin.ok([...NAMESPACE, 'delete', 'pod', ...(await agentPods()), '--grace-period=0', '--force']);
  await admin.ok(ROLLED_OUT);
  await connected(world.clusterId, 2);
  const { asked, failures } = await asking.stop();
  console.log(`${asked} requests while all agents died, ${failures.length} failed`);
  // A request that was under way is lost: whether it was executed nobody can know, so nobody sends it again.
  expect(
    failures.filter(
      (failure) => !/ServiceUnavailable|currently unable|InternalError|BadGateway|the tunnel/.test(failure),
    ),
  ).toEqual([]);
  expect(await owner.through.ok(['get', 'nodes', '-o', 'name'])).toBe('node/demo-node\n');
});

test('the manifest of another cluster of the plane does not take an imported cluster over', async () => {
  const [again] = await anotherCluster('again');
  await paste((await register(world.api, again)).importCommand);
  await world.admin.ok(ROLLED_OUT);
  await connected(world.clusterId, 2);
  expect(await tunnelsOf(again)).toEqual([]);
  expect(await world.owner.through.ok(['get', 'nodes', '-o', 'name'])).toBe('node/demo-node\n');
});

test('an agent that starts anew is refused as another cluster, by name, and recognised as its own', async () => {
  const [twice] = await anotherCluster('twice');
  await world.admin.ok(['delete', 'namespace', 'outrider-system', '--timeout=90s']);
  await paste((await register(world.api, twice)).importCommand);
  const log = async (): Promise<string> => {
    const { stdout } = await world.admin.kubectl([...NAMESPACE, 'logs', 'deployment/outrider-agent']);
    return stdout;
  };
  const told = async (): Promise<boolean> => (await log()).includes('imported already, as e2e');
  await waitUntil('the agent to say what is wrong', told, { withinMs: CONNECTED_WITHIN_MS });
  expect(await tunnelsOf(twice)).toEqual([]);

  await paste((await register(world.api, world.clusterId)).importCommand);
  expect(await connected(world.clusterId, 2)).toEqual(['active', 'standby']);
  expect(await world.owner.through.ok(['get', 'nodes', '-o', 'name'])).toBe('node/demo-node\n');
});

/** Runs a command as somebody would who copied it into a shell, with the cluster's own administrator as current context. */
async function paste(command: string): Promise<void> {
  const path = `${dirname(world.tools.kubectl)}:${process.env['PATH'] ?? ''}`;
  const env = { KUBECONFIG: world.cluster.adminKubeconfig, PATH: path };
  const { code, stderr } = await run(['sh', '-c', command], { env });
  if (code !== 0) throw new Error(`the import command ended with code ${code}: ${stderr}`);
}

async function tunnelsOf(clusterId: string): Promise<string[]> {
  const { items } = await world.api.json(tunnels, 'GET', `/v1/clusters/${clusterId}/tunnels`);
  // One that drains takes nothing new.
  return items
    .map(({ state }) => state)
    .filter((state) => state !== 'draining')
    .toSorted();
}

/** Waits for the tunnels of a cluster. @returns their states */
async function connected(clusterId: string, count: number): Promise<string[]> {
  let states: string[] = [];
  const probe = async (): Promise<boolean> => (states = await tunnelsOf(clusterId)).length === count;
  await waitUntil(`${count} tunnels`, probe, { withinMs: CONNECTED_WITHIN_MS });
  return states;
}

/** Adds a cluster to the plane. @returns its id, and kubectl for it */
async function anotherCluster(name: string) {
  const { id } = await world.api.json(z.object({ id: z.string() }), 'POST', '/v1/clusters', {
    metadata: { name },
    spec: {},
  });
  const server = `${world.plane.url}/k8s/clusters/${id}`;
  const token = await world.api.json(z.object({ token: z.string() }), 'POST', '/v1/tokens', { spec: {} });
  const kubectl = (args: string[]) =>
    world.owner.through.kubectl([...args, `--server=${server}`, `--token=${token.token}`]);
  return [id, kubectl] as const;
}

async function agentPods(): Promise<string[]> {
  const list = podList.parse(await world.admin.json([...NAMESPACE, 'get', 'pods']));
  return list.items.map(({ metadata }) => metadata.name);
}

/** Asks through the plane without pause until told to stop. */
function ask(): { stop(): Promise<{ asked: number; failures: string[] }> } {
  const failures: string[] = [];
  let asked = 0;
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      asked++;
      const { code, stderr } = await world.owner.through.kubectl(['get', '--raw', '/api/v1/namespaces/default']);
      if (code !== 0) failures.push(stderr);
    }
  };
  const loops = Promise.all([loop(), loop()]);
  return {
    stop: async () => {
      stopping.abort();
      await loops;
      return { asked, failures };
    },
  };
}

/** What an informer knows in the end: name to resourceVersion. */
function stateOf(lines: string): Record<string, string> {
  const state = new Map<string, string>();
  for (const line of lines.split('\n').filter((text) => text.includes('resourceVersion'))) {
    const { type, name, resourceVersion } = JSON.parse(line) as Record<string, string>;
    if (type === 'delete') state.delete(name!);
    else state.set(name!, resourceVersion!);
  }
  return Object.fromEntries(state);
}

async function stateInCluster(): Promise<Record<string, string>> {
  const list = await world.admin.json<{ items: { metadata: { name: string; resourceVersion: string } }[] }>([
    'get',
    'configmaps',
    '-l',
    'import=yes',
  ]);
  return Object.fromEntries(list.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}
