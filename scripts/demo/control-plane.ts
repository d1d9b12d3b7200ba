import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { freePort } from '../lib/port.ts';
import type { ClusterTools } from './install.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { SERVICE_RANGE } from './node/network.ts';
import type { CertificateFiles, ClusterPki } from './pki.ts';
import { type ManagedProcess, startProcess, waitUntil } from './processes.ts';

/** A cold start on a busy machine of two cores; the usual is 3 s. */
const ETCD_READY_MS = 30_000;
const API_SERVER_READY_MS = 90_000;
const DEFAULT_ACCOUNT_MS = 60_000;

/** Where a control plane without a node listens. */
export const LOOPBACK = '127.0.0.1';

/** An API server that is told to stop finishes the requests that it has. */
const API_SERVER_STOP_MS = 5_000;

export type ControlPlaneOptions = {
  dir: string;
  tools: ClusterTools;
  pki: ClusterPki;
  /** Where the API server listens; pods reach it there too. */
  address: string;
  port: number;
  /** Without a node nothing is scheduled. */
  scheduler: boolean;
  auditLog: boolean;
  onUnexpectedExit: (message: string) => void;
};

/** etcd, API server, controller manager and perhaps scheduler, on the host. */
export type ControlPlane = {
  /** https URL of the API server. */
  apiServer: string;
  /** In the order of their start. */
  processes: readonly ManagedProcess[];
  /** GETs a path of the API server as its administrator and parses the answer; `undefined` unless it is a 200. */
  get(path: string): Promise<unknown>;
  stop(): Promise<void>;
};

/** One component: flags by name, where `true` stands for a flag without value. */
type Flags = Readonly<Record<string, string | number | true>>;

/** Starts the control plane; resolves when the API server is ready and makes default service accounts. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, tools, pki, address, port, scheduler, onUnexpectedExit } = options;
  const apiServer = `https://${address}:${port}`;
  const logs = join(dir, 'logs');
  await mkdir(logs, { recursive: true });
  const processes: ManagedProcess[] = [];
  const start = async (name: string, program: string, flags: Flags, stopWithinMs?: number): Promise<ManagedProcess> => {
    const process = await startProcess({
      name,
      argv: [program, ...flagArguments(flags)],
      logFile: join(logs, `${name}.log`),
      onUnexpectedExit,
      ...(stopWithinMs !== undefined && { stopWithinMs }),
    });
    processes.push(process);
    return process;
  };
  const agent = await adminAgent(pki);
  const plane: ControlPlane = {
    apiServer,
    processes,
    get: async (path) => {
      const answer = await httpsGet(`${apiServer}${path}`, agent);
      return answer?.status === 200 ? parseJson(answer.body) : undefined;
    },
    stop: async () => {
      agent.destroy();
      // Backwards: nothing loses what it writes to before it has itself stopped.
      for (const process of processes.toReversed()) await process.stop();
    },
  };

  try {
    const [clientPort, peerPort] = await Promise.all([freePort(LOOPBACK, 0), freePort(LOOPBACK, 0)]);
    const etcdUrl = `https://127.0.0.1:${clientPort}`;
    const etcd = await start('etcd', tools.etcd, etcdFlags(options, etcdUrl, `https://127.0.0.1:${peerPort}`));
    const etcdAgent = new Agent({ ca: pki.caPem, ...(await readPair(pki.certificates.etcdClient)) });
    const etcdHealthy = async (): Promise<boolean> => (await httpsGet(`${etcdUrl}/health`, etcdAgent))?.status === 200;
    await waitUntil('starting etcd', etcdHealthy, { withinMs: ETCD_READY_MS, by: [etcd] });
    etcdAgent.destroy();

    const flags = await apiServerFlags(options, etcdUrl);
    const api = await start('kube-apiserver', tools.kubeApiserver, flags, API_SERVER_STOP_MS);
    const apiReady = async (): Promise<boolean> => (await httpsGet(`${apiServer}/readyz`, agent))?.status === 200;
    await waitUntil('starting the API server', apiReady, { withinMs: API_SERVER_READY_MS, by: [api] });

    const manager = await controllerManagerFlags(options, apiServer);
    const controllers = await start('kube-controller-manager', tools.kubeControllerManager, manager);
    if (scheduler) {
      const kubeconfig = await componentKubeconfig(options, apiServer, 'scheduler');
      await start('kube-scheduler', tools.kubeScheduler, { kubeconfig, 'leader-elect': 'false', 'secure-port': 0 });
    }
    const accountPath = '/api/v1/namespaces/default/serviceaccounts/default';
    const account = async (): Promise<boolean> => (await plane.get(accountPath)) !== undefined;
    await waitUntil('starting the controllers', account, { withinMs: DEFAULT_ACCOUNT_MS, by: [controllers] });
    return plane;
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** Writes the kubeconfig of a component whose certificate has the same name. @returns its path. */
export async function componentKubeconfig(
  options: { dir: string; pki: ClusterPki },
  server: string,
  user: 'controllerManager' | 'scheduler' | 'kubelet' | 'kubeProxy',
): Promise<string> {
  const file = join(options.dir, 'pki', `${user}.kubeconfig`);
  const { caPem, certificates } = options.pki;
  await writeKubeconfig(file, { cluster: 'local', user, server, caPem, certificate: certificates[user] });
  return file;
}

/** One member, whose data survives a crash of the process but not of the machine: nothing here is worth an fsync. */
function etcdFlags({ dir, pki }: ControlPlaneOptions, clientUrl: string, peerUrl: string): Flags {
  const { cert, key } = pki.certificates.etcd;
  return {
    name: 'demo',
    'data-dir': join(dir, 'etcd'),
    'unsafe-no-fsync': true,
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `demo=${peerUrl}`,
    'cert-file': cert,
    'key-file': key,
    'client-cert-auth': true,
    'trusted-ca-file': pki.ca.cert,
    'peer-cert-file': cert,
    'peer-key-file': key,
    'peer-client-cert-auth': true,
    'peer-trusted-ca-file': pki.ca.cert,
    'log-level': 'warn',
    // Revisions of an hour: kubectl and controllers never ask for older ones.
    'auto-compaction-retention': '1h',
  };
}

async function apiServerFlags(options: ControlPlaneOptions, etcdUrl: string): Promise<Flags> {
  const { dir, pki, address, port, auditLog } = options;
  const { apiServer, etcdClient, apiServerKubeletClient, frontProxyClient } = pki.certificates;
  return {
    'bind-address': address,
    'advertise-address': address,
    // Kubernetes refuses a loopback address as an endpoint, and without a node nobody looks for one.
    ...(address === LOOPBACK && { 'endpoint-reconciler-type': 'none' }),
    'secure-port': port,
    'tls-cert-file': apiServer.cert,
    'tls-private-key-file': apiServer.key,
    'client-ca-file': pki.ca.cert,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    'service-cluster-ip-range': SERVICE_RANGE,

    'etcd-servers': etcdUrl,
    'etcd-cafile': pki.ca.cert,
    'etcd-certfile': etcdClient.cert,
    'etcd-keyfile': etcdClient.key,

    'kubelet-certificate-authority': pki.ca.cert,
    'kubelet-client-certificate': apiServerKubeletClient.cert,
    'kubelet-client-key': apiServerKubeletClient.key,
    'kubelet-preferred-address-types': 'InternalIP',

    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    'service-account-key-file': pki.serviceAccount.publicKey,
    'service-account-signing-key-file': pki.serviceAccount.privateKey,

    'requestheader-client-ca-file': pki.frontProxyCa.cert,
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'proxy-client-cert-file': frontProxyClient.cert,
    'proxy-client-key-file': frontProxyClient.key,
    // Service addresses exist only inside the node's sandbox; webhooks and aggregated APIs are reached at their pods.
    'enable-aggregator-routing': 'true',
    ...(auditLog && (await auditFlags(dir))),
  };
}

/** One line for each request that the API server has answered, without bodies (audit.k8s.io/v1, level Metadata). */
async function auditFlags(dir: string): Promise<Flags> {
  const policy = join(dir, 'audit-policy.json');
  const rules = [{ level: 'Metadata' }];
  const omitStages = ['RequestReceived'];
  await writeFile(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages, rules }));
  return { 'audit-policy-file': policy, 'audit-log-path': auditLogFile(dir) };
}

/** Where the audit log of the cluster in `dir` is. */
export function auditLogFile(dir: string): string {
  return join(dir, 'logs', 'audit.log');
}

async function controllerManagerFlags(options: ControlPlaneOptions, server: string): Promise<Flags> {
  const { pki } = options;
  return {
    kubeconfig: await componentKubeconfig(options, server, 'controllerManager'),
    'root-ca-file': pki.ca.cert,
    'service-account-private-key-file': pki.serviceAccount.privateKey,
    'use-service-account-credentials': 'true',
    'cluster-signing-cert-file': pki.ca.cert,
    'cluster-signing-key-file': pki.ca.key,
    'leader-elect': 'false',
    // By default 20 a second, at which the first start of all controllers alone takes five seconds.
    'kube-api-qps': 300,
    'kube-api-burst': 600,
    // Nobody asks it for its health or its metrics.
    'secure-port': 0,
  };
}

function flagArguments(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
}

async function adminAgent(pki: ClusterPki): Promise<Agent> {
  return new Agent({ ca: pki.caPem, keepAlive: true, ...(await readPair(pki.certificates.admin)) });
}

async function readPair({ cert, key }: CertificateFiles): Promise<{ cert: string; key: string }> {
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

/** `undefined` when there is no answer: whoever asks tries again. */
function httpsGet(url: string, agent: Agent): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const call = request(url, { agent, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
