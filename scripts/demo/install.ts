import { join } from 'node:path';
import { canInstallPackages, installPackages, missingPackages } from './tools/debian.ts';
import { Problem } from '../lib/problem.ts';
import { buildGoTools, type GoTools, hasGoTools } from './tools/go.ts';
import { lock } from './tools/lock.ts';
import { missingGo } from './tools/toolchain.ts';

/** The Kubernetes release of the demo cluster; `tools/kubernetes/go.mod` pins the same. */
export const KUBERNETES_VERSION = '1.34.2';
const ETCD_VERSION = '3.6.5';

/**
 * Without link values every component calls itself v0.0.0 and clients misjudge it. The same two packages are set by
 * Kubernetes' own build (hack/lib/version.sh): what /version answers, and what clients send as User-Agent.
 */
const VERSION_VALUES = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    [`${path}.gitVersion`, `v${KUBERNETES_VERSION}`],
    [`${path}.gitMajor`, '1'],
    [`${path}.gitMinor`, '34'],
    [`${path}.gitTreeState`, 'clean'],
  ]),
);

const KUBERNETES: GoTools = {
  name: 'kubernetes',
  version: KUBERNETES_VERSION,
  moduleDir: join(import.meta.dirname, 'tools/kubernetes'),
  packages: ['kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler', 'kubectl', 'kubelet'].map(
    (command) => `k8s.io/kubernetes/cmd/${command}`,
  ),
  linkValues: VERSION_VALUES,
};

const ETCD: GoTools = {
  name: 'etcd',
  version: ETCD_VERSION,
  moduleDir: join(import.meta.dirname, 'tools/etcd'),
  packages: ['go.etcd.io/etcd/server/v3', 'go.etcd.io/etcd/etcdctl/v3'],
};

/** Programs of a cluster, each an absolute path. */
export type ClusterTools = {
  etcd: string;
  etcdctl: string;
  kubeApiserver: string;
  kubeControllerManager: string;
  kubeScheduler: string;
  kubeProxy: string;
  kubelet: string;
  kubectl: string;
};

/**
 * Puts everything that a cluster needs on this machine, saying beforehand what is missing. Fast when all is there.
 *
 * @param node whether pods will run, which needs root and some Debian packages; otherwise only the Go programs are built.
 * @throws {Problem} with one line that says what to do.
 */
export async function installClusterTools(options: {
  node: boolean;
  log: (line: string) => void;
}): Promise<ClusterTools> {
  const { node, log } = options;
  requireMachine(node);
  const toBuild = [];
  for (const tools of [KUBERNETES, ETCD]) if (!(await hasGoTools(tools))) toBuild.push(tools);
  // Looked at before anything is installed: without Go the rest is of no use.
  const go = toBuild.length > 0 ? await missingGo(canInstallPackages()) : undefined;
  const missing = (): string[] => [...(node ? missingPackages() : []), ...(go?.packages ?? [])];
  if (toBuild.length + missing().length > 0) log(plan(toBuild, missing(), go?.toolchain));

  if (missing().length > 0) {
    const held = await lock('debian packages', () => log('waiting for another process that installs packages'));
    try {
      // Again, since the other process may have been one like this.
      await installPackages(missing(), log);
    } finally {
      await held.release();
    }
  }
  const etcd = await buildGoTools(ETCD, log);
  const kubernetes = await buildGoTools(KUBERNETES, log);
  return {
    etcd: join(etcd.binDir, 'server'),
    etcdctl: join(etcd.binDir, 'etcdctl'),
    kubeApiserver: join(kubernetes.binDir, 'kube-apiserver'),
    kubeControllerManager: join(kubernetes.binDir, 'kube-controller-manager'),
    kubeScheduler: join(kubernetes.binDir, 'kube-scheduler'),
    kubeProxy: join(kubernetes.binDir, 'kube-proxy'),
    kubelet: join(kubernetes.binDir, 'kubelet'),
    kubectl: join(kubernetes.binDir, 'kubectl'),
  };
}

function requireMachine(node: boolean): void {
  if (process.platform !== 'linux') throw new Problem('the demo cluster runs on Linux only');
  if (node && process.getuid?.() !== 0) {
    throw new Problem('the demo cluster runs pods and needs root: run it again with sudo');
  }
}

function plan(toBuild: readonly GoTools[], packages: readonly string[], toolchain: string | undefined): string {
  const parts = [];
  if (packages.length > 0) parts.push(`Debian packages ${packages.join(', ')}`);
  if (toolchain !== undefined) parts.push(toolchain);
  for (const { name, version } of toBuild) parts.push(`${name} ${version} (built from source)`);
  return `will install: ${parts.join('; ')}`;
}
