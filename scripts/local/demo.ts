import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { writeAgentImage } from '../image/agent.ts';
import { startCluster } from '../demo/cluster.ts';
import type { DemoCluster } from '../demo/cluster.ts';
import { call, fetchText } from './client.ts';
import type { Plane } from './plane.ts';
import { Problem } from './problem.ts';
import { writeWhole } from './state/data-dir.ts';

/** Name of the demo cluster in the plane, and of its contexts. */
const DEMO_CLUSTER = 'demo';
/** From applying the manifest to the first answer through the plane: pods, images and registration take some seconds. */
const CONNECT_MS = 120_000;
/** How often the way through the plane is tried meanwhile. */
const POLL_MS = 250;

const clusterAnswer = z.object({ id: z.string(), metadata: z.object({ name: z.string() }) });
const clustersAnswer = z.object({ items: z.array(clusterAnswer) });
const registrationAnswer = z.object({ importUrl: z.string() });
const whoAmIAnswer = z.object({
  status: z.object({
    userInfo: z.object({
      username: z.string(),
      groups: z.array(z.string()),
      extra: z.record(z.string(), z.array(z.string())).optional(),
    }),
  }),
});

/** The two ways to the demo cluster: paths of kubeconfigs. */
export interface DemoKubeconfigs {
  /** Through the plane. */
  readonly plane: string;
  /** Straight to the API server, as the same person, so that the two can be compared. */
  readonly direct: string;
}

/** Starts the demo's cluster under the data folder, or goes on with it; says beforehand what that takes. */
export async function startDemoCluster(dataDir: string, say: (line: string) => void): Promise<DemoCluster> {
  say(
    'the demo runs a real Kubernetes here: missing Debian packages are installed, Kubernetes and etcd are built with Go, once',
  );
  return await startCluster({ dir: join(dataDir, 'demo', 'cluster'), log: say });
}

/**
 * Imports the demo cluster by the manifest that anybody's cluster is imported by, waits until a request gets through, and writes both kubeconfigs.
 * An import that still holds is left as it is.
 *
 * @param administrator user id
 * @throws {Problem} when the agent does not connect, with where to look.
 */
export async function importDemoCluster(
  plane: Plane,
  cluster: DemoCluster,
  administrator: string,
  say: (line: string) => void,
): Promise<DemoKubeconfigs> {
  const folder = join(plane.dataDir.root, 'demo');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const id = await findOrCreate(plane, administrator);
  if (!(await isImported(plane, cluster))) {
    say('building the agent image and importing the cluster');
    const image = join(folder, 'agent.tar');
    await writeAgentImage({ file: image, name: plane.agentImage });
    await cluster.loadImage(image);
    await applyManifest(plane, cluster, administrator, id);
  }
  const kubeconfigs = { plane: join(folder, 'kubeconfig'), direct: join(folder, 'direct.kubeconfig') };
  const path = `/v1/clusters/${id}/kubeconfig`;
  await writeWhole(kubeconfigs.plane, await fetchText(plane, { path, token: await plane.mint(administrator) }));
  say('waiting for the agent');
  await untilAnswered(cluster, kubeconfigs.plane);
  await writeDirect(cluster, kubeconfigs);
  return kubeconfigs;
}

async function findOrCreate(plane: Plane, administrator: string): Promise<string> {
  const token = await plane.mint(administrator);
  const { items } = await call(plane, { method: 'GET', path: '/v1/clusters', token, answer: clustersAnswer });
  const known = items.find(({ metadata }) => metadata.name === DEMO_CLUSTER);
  if (known !== undefined) return known.id;
  const body = { name: DEMO_CLUSTER };
  const made = await call(plane, { method: 'POST', path: '/v1/clusters', token, body, answer: clusterAnswer });
  return made.id;
}

/** Whether the cluster's agents already dial this plane: its address and CA are what the manifest said. */
async function isImported(plane: Plane, cluster: DemoCluster): Promise<boolean> {
  const args = ['get', 'configmap', 'outrider-agent', '--namespace', 'outrider-system', '--output', 'json'];
  const { stdout, code } = await cluster.kubectl(args);
  if (code !== 0) return false;
  const found = z.object({ data: z.record(z.string(), z.string()) }).safeParse(JSON.parse(stdout));
  return found.data?.data['server'] === plane.url && found.data.data['ca.crt']?.trim() === plane.caPem.trim();
}

async function applyManifest(plane: Plane, cluster: DemoCluster, administrator: string, id: string): Promise<void> {
  const { importUrl } = await call(plane, {
    method: 'POST',
    path: `/v1/clusters/${id}/registration-tokens`,
    token: await plane.mint(administrator),
    body: {},
    answer: registrationAnswer,
  });
  const manifest = await fetchText(plane, { path: new URL(importUrl).pathname });
  const { code, stderr } = await cluster.kubectl(['apply', '--filename', '-'], { input: manifest });
  if (code !== 0) throw new Problem(`the manifest was not applied: ${stderr.trim()}`);
}

async function untilAnswered(cluster: DemoCluster, kubeconfig: string): Promise<void> {
  const until = Date.now() + CONNECT_MS;
  let last = '';
  while (Date.now() < until) {
    const { code, stderr } = await cluster.kubectl(['get', 'nodes', '--output', 'name'], { kubeconfig });
    if (code === 0) return;
    last = stderr.trim();
    await sleep(POLL_MS);
  }
  const logs = `KUBECONFIG=${cluster.adminKubeconfig} ${cluster.kubectlPath} -n outrider-system logs deployment/outrider-agent`;
  throw new Problem(`the demo cluster does not answer through the plane (${last}); look at: ${logs}`);
}

/** The direct way as the very identity that the plane impersonates: the cluster says itself who that is. */
async function writeDirect(cluster: DemoCluster, kubeconfigs: DemoKubeconfigs): Promise<void> {
  const args = ['auth', 'whoami', '--output', 'json'];
  const { stdout } = await cluster.kubectl(args, { kubeconfig: kubeconfigs.plane });
  const { username, groups, extra } = whoAmIAnswer.parse(JSON.parse(stdout)).status.userInfo;
  const admin = z
    .looseObject({ users: z.tuple([z.looseObject({ user: z.record(z.string(), z.string()) })]) })
    .parse(JSON.parse(await readFile(cluster.adminKubeconfig, 'utf8')));
  const [entry] = admin.users;
  const user = { ...entry.user, as: username, 'as-groups': groups, 'as-user-extra': extra ?? {} };
  const config = { ...admin, users: [{ ...entry, user }] };
  await writeWhole(kubeconfigs.direct, `${JSON.stringify(config, undefined, 2)}\n`);
}
