import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { componentKubeconfig, type ControlPlane } from '../control-plane.ts';
import { PAUSE_IMAGE } from '../images.ts';
import type { ClusterTools } from '../install.ts';
import type { ClusterPki } from '../pki.ts';
import { type ManagedProcess, startProcess, waitUntil } from '../processes.ts';
import { cniPluginDir, programPath } from '../tools/debian.ts';
import { containerdAnswers, importImage } from './containers.ts';
import type { ClusterNetwork } from './network.ts';
import type { Sandbox } from './sandbox.ts';

const CONTAINERD_READY_MS = 30_000;
const NODE_READY_MS = 90_000;

/** statfs(2): a file system on which overlayfs cannot be stacked, such as a container's own root. */
const OVERLAYFS_MAGIC = 0x794c7630;

export type NodeOptions = {
  dir: string;
  name: string;
  tools: ClusterTools;
  pki: ClusterPki;
  sandbox: Sandbox;
  network: ClusterNetwork;
  /** Control group below which all pods are; it exists. */
  cgroup: string;
  controlPlane: ControlPlane;
  /** Archives of images that the node must have. */
  images: readonly string[];
  onUnexpectedExit: (message: string) => void;
};

/** containerd, kubelet and kube-proxy in a sandbox, with the standard paths and ports of a node. */
export type Node = {
  processes: readonly ManagedProcess[];
  /** Imports an image archive. @throws with what containerd says. */
  loadImage(archive: string): Promise<void>;
  /** Ends the components; what they started ends with the sandbox. */
  stop(): Promise<void>;
};

/** Starts the node; resolves when it has reported itself Ready. */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { dir, name, tools, sandbox, controlPlane, images, onUnexpectedExit } = options;
  const folder = join(dir, 'node');
  // The addresses of an earlier run's pods are given out again.
  await rm(join(folder, 'cni'), { recursive: true, force: true });
  for (const path of ['containerd', 'cni', 'kubelet', 'pod-logs']) {
    await mkdir(join(folder, path), { recursive: true, mode: 0o700 });
  }

  const processes: ManagedProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const process of processes.toReversed()) await process.stop();
  };
  const start = async (process: string, argv: readonly string[]): Promise<ManagedProcess> => {
    const logFile = join(dir, 'logs', `${process}.log`);
    const started = await startProcess({ name: process, argv: sandbox.enter(argv), logFile, onUnexpectedExit });
    processes.push(started);
    return started;
  };

  try {
    await writeCniConfig(folder, options.network);
    const containerdConfig = await writeContainerdConfig(folder);
    const containerd = await start('containerd', [programPath('containerd'), '--config', containerdConfig]);
    await waitUntil('starting containerd', () => containerdAnswers(sandbox), {
      withinMs: CONTAINERD_READY_MS,
      by: [containerd],
    });
    for (const archive of images) await importImage(sandbox, archive);

    const startedAt = Date.now();
    const kubelet = await start('kubelet', [
      tools.kubelet,
      `--config=${await writeKubeletConfig(folder, options)}`,
      `--kubeconfig=${await componentKubeconfig(options, controlPlane.apiServer, 'kubelet')}`,
      `--root-dir=${join(folder, 'kubelet')}`,
      `--hostname-override=${name}`,
      `--node-ip=${options.network.nodeAddress}`,
    ]);
    const proxy = await start('kube-proxy', [tools.kubeProxy, `--config=${await writeProxyConfig(folder, options)}`]);
    const ready = async (): Promise<boolean> => isReady(await controlPlane.get(`/api/v1/nodes/${name}`), startedAt);
    await waitUntil('the node', ready, { withinMs: NODE_READY_MS, by: [kubelet, proxy, containerd] });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    processes,
    loadImage: (archive) => importImage(sandbox, archive),
    stop,
  };
}

const nodeStatus = z.object({
  status: z.object({
    conditions: z.array(z.object({ type: z.string(), status: z.string(), lastHeartbeatTime: z.iso.datetime() })),
  }),
});

/** A node that ran before is still Ready in the API: only a heartbeat of this run counts. */
function isReady(value: unknown, startedAt: number): boolean {
  const node = nodeStatus.safeParse(value);
  if (!node.success) return false;
  const condition = node.data.status.conditions.find(({ type }) => type === 'Ready');
  // Heartbeats have whole seconds.
  const fresh = Date.parse(condition?.lastHeartbeatTime ?? '') >= startedAt - 1_000;
  return fresh && condition?.status === 'True';
}

/**
 * `ptp` gives each pod a pair of interfaces and a route on the node. Unlike a bridge, all traffic between pods passes the
 * packet filter, so that services work without the kernel's br_netfilter module.
 */
async function writeCniConfig(folder: string, { podRange }: ClusterNetwork): Promise<void> {
  const ipam = { type: 'host-local', dataDir: join(folder, 'cni/addresses'), ranges: [[{ subnet: podRange }]] };
  const plugins = [
    { type: 'ptp', ipMasq: false, ipam: { ...ipam, routes: [{ dst: '0.0.0.0/0' }] } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
  await mkdir(join(folder, 'cni/config'), { recursive: true });
  const list = { cniVersion: '0.4.0', name: 'pods', plugins };
  await writeFile(join(folder, 'cni/config/10-pods.conflist'), JSON.stringify(list));
}

async function writeContainerdConfig(folder: string): Promise<string> {
  const file = join(folder, 'containerd.toml');
  const { type } = await statfs(folder);
  const text = (value: string): string => JSON.stringify(value);
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const lines = [
    'version = 2',
    `root = ${text(join(folder, 'containerd'))}`,
    'state = "/run/containerd"',
    // It would make /opt/containerd on the host.
    'disabled_plugins = ["io.containerd.internal.v1.opt"]',
    '[grpc]',
    'address = "/run/containerd/containerd.sock"',
    `[${cri}]`,
    `sandbox_image = ${text(PAUSE_IMAGE)}`,
    // Where the host withholds CAP_SYS_RESOURCE, asking for a lower score fails every pod.
    'restrict_oom_score_adj = true',
    `[${cri}.cni]`,
    `bin_dir = ${text(cniPluginDir())}`,
    `conf_dir = ${text(join(folder, 'cni/config'))}`,
    `[${cri}.containerd]`,
    `snapshotter = "${type === OVERLAYFS_MAGIC ? 'native' : 'overlayfs'}"`,
    `[${cri}.containerd.runtimes.runc]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${cri}.containerd.runtimes.runc.options]`,
    'SystemdCgroup = false',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function writeKubeletConfig(folder: string, { pki, cgroup }: NodeOptions): Promise<string> {
  const { cert, key } = pki.certificates.kubeletServer;
  const resolvConf = join(folder, 'resolv.conf');
  await writeFile(resolvConf, '');
  return writeComponentConfig(folder, 'kubelet', {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: pki.ca.cert } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: cert,
    tlsPrivateKeyFile: key,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failSwapOn: false,
    oomScoreAdj: 0,
    podLogsDir: join(folder, 'pod-logs'),
    volumePluginDir: join(folder, 'kubelet/volume-plugins'),
    resolvConf,
    // A full disk or little memory is the host's matter: only the last reserves drive pods out, and no image is ever
    // collected, since none could be pulled again.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
  });
}

async function writeProxyConfig(folder: string, options: NodeOptions): Promise<string> {
  const { name, network, controlPlane } = options;
  return writeComponentConfig(folder, 'kube-proxy', {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: await componentKubeconfig(options, controlPlane.apiServer, 'kubeProxy') },
    hostnameOverride: name,
    mode: 'iptables',
    clusterCIDR: network.podRange,
    oomScoreAdj: 0,
    // The kernel has these settings once for the whole host, where they are not ours to change.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

/** Component configurations are YAML, of which JSON is a part. */
async function writeComponentConfig(folder: string, name: string, config: unknown): Promise<string> {
  const file = join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify(config, undefined, 2));
  return file;
}
