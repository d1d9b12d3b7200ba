import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { freePort } from '../lib/port.ts';
import { auditLogFile, type ControlPlane, LOOPBACK, startControlPlane } from './control-plane.ts';
import { writeBaseImages } from './images.ts';
import { type ClusterTools, installClusterTools } from './install.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type KubectlOptions, type KubectlResult, runKubectl } from './kubectl.ts';
import { createCgroup, removeCgroup } from './node/cgroups.ts';
import { type ClusterNetwork, connectSandbox, disconnect, MAX_CLUSTERS, SERVICE_ADDRESS } from './node/network.ts';
import { startNode } from './node/node.ts';
import { type Sandbox, startSandbox } from './node/sandbox.ts';
import { createPki } from './pki.ts';
import type { ManagedProcess } from './processes.ts';
import { Problem } from '../lib/problem.ts';
import { tryLock } from './tools/lock.ts';

/** The standard port; the address it is on belongs to one cluster only. */
const API_SERVER_PORT = 6443;

export type ClusterOptions = {
  /** Everything of the cluster is here; a second start on the same folder goes on with its data. */
  dir: string;
  /** Progress and trouble, one line each. */
  log: (line: string) => void;
  /** Name of the cluster in the kubeconfig and beginning of the node's name. */
  name?: string;
  /** Without node and scheduler: needs no root and is ready sooner. Pods stay Pending. */
  apiOnly?: boolean;
  /** Whether the API server writes a line for each request to {@link DemoCluster.auditLog}. */
  auditLog?: boolean;
};

/** A real Kubernetes cluster of one node on this machine. */
export type DemoCluster = {
  name: string;
  /** Path of a kubeconfig with all rights (group system:masters). */
  adminKubeconfig: string;
  /** https URL, reachable from this machine and from pods, not from elsewhere. */
  apiServer: string;
  /** Of the cluster's own authority. */
  caPem: string;
  /** Where pods reach services of this machine that listen on it or on all addresses. */
  bridgeAddress: string;
  /** Path of the kubectl of the cluster's own version. */
  kubectlPath: string;
  /** Path of the audit log, if it was asked for. */
  auditLog: string | undefined;
  /** All component processes, for fault tests; each is named like its program. */
  processes: readonly ManagedProcess[];
  /** Imports an OCI image archive into the node. */
  loadImage(archive: string): Promise<void>;
  /** Runs kubectl as the administrator unless told otherwise; never throws for an exit code. */
  kubectl(args: readonly string[], options?: Partial<KubectlOptions>): Promise<KubectlResult>;
  /** Ends everything and takes its traces from the machine; the data stays in `dir`. Does no harm twice. */
  stop(): Promise<void>;
};

/** What a later start in the same folder should find again: addresses that may be written down in the cluster. */
const savedState = z.object({
  network: z
    .int()
    .min(0)
    .max(MAX_CLUSTERS - 1),
});

/**
 * Installs what is missing, then starts a cluster: etcd, API server, controller manager, scheduler and a node with
 * containerd, kubelet and kube-proxy. Resolves when the node is Ready and pods can be made.
 *
 * @throws {Problem} with one line that says what to do; any other error with the last log lines of what failed.
 */
export async function startCluster(options: ClusterOptions): Promise<DemoCluster> {
  const { log, apiOnly = false } = options;
  const dir = resolvePath(options.dir);
  const tools = await installClusterTools({ node: !apiOnly, log });
  const held = await tryLock(`cluster ${dir}`);
  if (!held) throw new Problem(`another process runs a cluster in ${dir}: stop it or choose another folder`);
  const undo: (() => Promise<void>)[] = [() => held.release()];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= runBackwards(undo));
  try {
    return await start({ ...options, dir, apiOnly }, tools, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param undo gets, as soon as something is there, how to take it away. */
async function start(
  options: ClusterOptions & { apiOnly: boolean },
  tools: ClusterTools,
  undo: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<DemoCluster> {
  const { dir, log, name = 'demo', apiOnly, auditLog = false } = options;
  const startedAt = Date.now();
  const nodeName = `${name}-node`;
  await mkdir(join(dir, 'logs'), { recursive: true, mode: 0o700 });
  const preferred = await savedNetwork(dir);
  const onUnexpectedExit = (message: string): void => log(message);

  const place = apiOnly ? undefined : await makePlace(dir, preferred, undo, onUnexpectedExit);
  const address = place?.network.hostAddress ?? LOOPBACK;
  const port = place ? API_SERVER_PORT : await freePort(LOOPBACK, 0);
  await writeFile(join(dir, 'cluster.json'), JSON.stringify({ network: place?.network.index ?? preferred }));

  const pki = await createPki({
    dir: join(dir, 'pki'),
    nodeName,
    hostAddress: address,
    nodeAddress: place?.network.nodeAddress ?? LOOPBACK,
    serviceAddress: SERVICE_ADDRESS,
  });
  log('starting etcd, API server and controllers');
  const common = { dir, tools, pki, onUnexpectedExit };
  const controlPlane: ControlPlane = await startControlPlane({
    ...common,
    address,
    port,
    scheduler: !apiOnly,
    auditLog,
  });
  undo.push(() => controlPlane.stop());

  const adminKubeconfig = join(dir, 'admin.kubeconfig');
  const admin = {
    user: 'admin',
    server: controlPlane.apiServer,
    caPem: pki.caPem,
    certificate: pki.certificates.admin,
  };
  await writeKubeconfig(adminKubeconfig, { cluster: name, ...admin });

  if (place) log('starting the node');
  const images = place ? await writeBaseImages(dir) : [];
  const node = place && (await startNode({ ...common, ...place, name: nodeName, controlPlane, images }));
  if (node) undo.push(() => node.stop());
  log(`cluster ${name} is ready after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);

  return {
    name,
    adminKubeconfig,
    apiServer: controlPlane.apiServer,
    caPem: pki.caPem,
    bridgeAddress: address,
    kubectlPath: tools.kubectl,
    auditLog: auditLog ? auditLogFile(dir) : undefined,
    processes: [...controlPlane.processes, ...(node?.processes ?? [])],
    loadImage: async (archive) => {
      if (!node) throw new Error('a cluster without a node takes no images');
      await node.loadImage(archive);
    },
    kubectl: (args, kubectlOptions = {}) =>
      runKubectl(tools.kubectl, args, { kubeconfig: adminKubeconfig, ...kubectlOptions }),
    stop,
  };
}

/** What a node needs of the machine before anything can be started. */
type Place = { sandbox: Sandbox; network: ClusterNetwork; cgroup: string };

async function makePlace(
  dir: string,
  preferred: number,
  undo: (() => Promise<void>)[],
  onUnexpectedExit: (message: string) => void,
): Promise<Place> {
  const sandbox = await startSandbox({ dir, logFile: join(dir, 'logs/sandbox.log'), onUnexpectedExit });
  undo.push(() => sandbox.stop());
  const network = await connectSandbox(sandbox, preferred);
  const cgroup = network.interfaceName;
  await createCgroup(cgroup);
  undo.push(async () => {
    await sandbox.stop();
    await removeCgroup(cgroup);
    await disconnect(network);
  });
  return { sandbox, network, cgroup };
}

/** Index of the network that the cluster in this folder had before, else the first. */
async function savedNetwork(dir: string): Promise<number> {
  try {
    return savedState.parse(JSON.parse(await readFile(join(dir, 'cluster.json'), 'utf8'))).network;
  } catch {
    return 0;
  }
}

/** Runs every step, also after one has failed; throws the first failure. */
async function runBackwards(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps.toReversed()) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
