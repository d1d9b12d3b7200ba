import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { DemoCluster } from '../../demo/cluster.ts';
import { Problem } from '../../lib/problem.ts';
import { call, fetchText } from '../client.ts';
import type { Plane } from '../plane.ts';
import { readIfThere, writeWhole } from '../state/data-dir.ts';
import type { DemoImage } from './image.ts';
import { kubeconfigsIn, writeDirect } from './kubeconfigs.ts';
import type { DemoKubeconfigs } from './kubeconfigs.ts';

/** Name of the demo cluster in the plane, and of its contexts. */
const DEMO_CLUSTER = 'demo';
/** From applying the manifest to the first answer through the plane: pods, images and registration take some seconds. */
const CONNECT_MS = 120_000;
/** How often the way through the plane is tried meanwhile. */
const POLL_MS = 250;
/** How much of each agent's log a failure quotes: the cluster is stopped by then, and cannot be asked. */
const QUOTED_LINES = 1;

const clusterAnswer = z.object({
  id: z.string(),
  metadata: z.object({ name: z.string() }),
  status: z.object({ connectedAt: z.string().nullable() }),
});
const clustersAnswer = z.object({ items: z.array(clusterAnswer) });
const registrationAnswer = z.object({ importUrl: z.string() });
const importedObjects = z.object({
  items: z.tuple([
    z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) }),
    z.object({ data: z.record(z.string(), z.string()) }),
  ]),
});

interface Import {
  readonly plane: Plane;
  readonly cluster: DemoCluster;
  readonly image: DemoImage;
  /** User id. */
  readonly administrator: string;
  readonly say: (line: string) => void;
}

/**
 * Imports the demo cluster by the manifest that anybody's cluster is imported by, waits until a request gets through, and writes both
 * kubeconfigs. An import that still holds is left as it is; one that was broken off, or was of another cluster, plane or image, is made anew.
 *
 * @throws {Problem} when the agents do not connect, with their last words.
 */
export async function importDemoCluster(demo: Import): Promise<DemoKubeconfigs> {
  const { plane, cluster, image, administrator, say } = demo;
  const folder = join(plane.dataDir.root, 'demo');
  // Written once a request got through, so that what fails or is stopped in the middle begins anew.
  const importedImage = join(folder, 'agent-image');
  const { id, status } = await findOrCreate(plane, administrator);
  const holds =
    status.connectedAt !== null &&
    (await readIfThere(importedImage))?.trim() === image.digest &&
    (await isImported(demo, id));
  if (!holds) {
    say('importing the cluster');
    await rm(importedImage, { force: true });
    await cluster.loadImage(image.archive);
    await applyManifest(demo, id);
  }
  const kubeconfigs = kubeconfigsIn(folder);
  const path = `/v1/clusters/${id}/kubeconfig`;
  await writeWhole(kubeconfigs.plane, await fetchText(plane, { path, token: await plane.mint(administrator) }));
  say('waiting for the agents');
  await untilAnswered(cluster, kubeconfigs.plane);
  await writeWhole(importedImage, `${image.digest}\n`);
  await writeDirect(cluster, kubeconfigs);
  return kubeconfigs;
}

async function findOrCreate(plane: Plane, administrator: string): Promise<z.infer<typeof clusterAnswer>> {
  const token = await plane.mint(administrator);
  const { items } = await call(plane, { method: 'GET', path: '/v1/clusters', token, answer: clustersAnswer });
  const known = items.find(({ metadata }) => metadata.name === DEMO_CLUSTER);
  if (known !== undefined) return known;
  const body = { metadata: { name: DEMO_CLUSTER }, spec: {} };
  return await call(plane, { method: 'POST', path: '/v1/clusters', token, body, answer: clusterAnswer });
}

/** Whether what the manifest made in the cluster is there, and for this very cluster of this very plane. */
async function isImported({ plane, cluster }: Import, id: string): Promise<boolean> {
  const objects = ['namespace/outrider-system', 'configmap/outrider-agent'];
  const { stdout, code } = await cluster.kubectl(['get', ...objects, ...IN_NAMESPACE, '--output', 'json']);
  if (code !== 0) return false;
  const found = importedObjects.safeParse(JSON.parse(stdout));
  if (!found.success) return false;
  const [{ metadata }, { data }] = found.data.items;
  return (
    metadata.annotations['outrider.dev/cluster'] === id &&
    data['server'] === plane.url &&
    data['ca.crt']?.trim() === plane.caPem.trim()
  );
}

const IN_NAMESPACE = ['--namespace', 'outrider-system'];

async function applyManifest({ plane, cluster, administrator }: Import, id: string): Promise<void> {
  const { importUrl } = await call(plane, {
    method: 'POST',
    path: `/v1/clusters/${id}/registration-tokens`,
    token: await plane.mint(administrator),
    body: { spec: {} },
    answer: registrationAnswer,
  });
  const manifest = await fetchText(plane, { path: new URL(importUrl).pathname });
  const { code, stderr } = await cluster.kubectl(['apply', '--filename', '-'], { input: manifest });
  if (code !== 0) throw new Problem(`the manifest was not applied: ${stderr.trim()}`);
}

/** Until the agents are those of the manifest, and one of them carries a request. */
async function untilAnswered(cluster: DemoCluster, kubeconfig: string): Promise<void> {
  const until = Date.now() + CONNECT_MS;
  const rollout = ['rollout', 'status', 'deployment/outrider-agent', `--timeout=${CONNECT_MS / 1000}s`];
  let { code, stderr } = await cluster.kubectl([...rollout, ...IN_NAMESPACE]);
  while (code === 0 && Date.now() < until) {
    ({ code, stderr } = await cluster.kubectl(['get', 'nodes', '--output', 'name'], { kubeconfig }));
    if (code === 0) return;
    await sleep(POLL_MS);
    code = 0;
  }
  throw new Problem(
    `the demo cluster does not answer through the plane: ${stderr.trim()}; ${await lastWords(cluster)}`,
  );
}

async function lastWords(cluster: DemoCluster): Promise<string> {
  const selector = ['--selector', 'app.kubernetes.io/name=outrider-agent'];
  const logs = await cluster.kubectl(['logs', ...IN_NAMESPACE, ...selector, '--prefix', `--tail=${QUOTED_LINES}`]);
  const pods = await cluster.kubectl(['get', 'pods', ...IN_NAMESPACE, '--no-headers']);
  const quote = ({ stdout, stderr }: { stdout: string; stderr: string }): string =>
    (stdout.trim() || stderr.trim()).split('\n').join(' | ');
  return `its agents: ${quote(pods)}; their last words: ${quote(logs)}`;
}
