import { join } from 'node:path';
import { startCluster } from '../../demo/cluster.ts';
import { freePort } from '../../lib/port.ts';
import { Problem, codeOf } from '../../lib/problem.ts';
import type { Options } from '../options.ts';
import { startPlane } from '../plane.ts';
import type { Ready, Running } from '../ready.ts';
import { setUpAdministrator } from '../setup.ts';
import { openDataDir } from '../state/data-dir.ts';
import { buildDemoImage } from './image.ts';
import { importDemoCluster } from './import.ts';

/** Nobody listens on this address alone, so its ports are taken only by who listens on every address (all of 127/8 is this machine's on Linux). */
const UNUSED_LOOPBACK = '127.88.88.88';

/**
 * Starts the plane and a cluster under its data folder, or goes on with both, and imports the cluster; says beforehand what that takes.
 *
 * @param running gets each part as soon as it is there
 */
export async function startDemo(options: Options, running: Running, say: (line: string) => void): Promise<Ready> {
  // What makes the plane fail is found before a whole cluster has been started for it.
  const dataDir = await openDataDir(options.dataDir);
  await checkPort(options);
  say(
    'the demo runs a real Kubernetes here: missing Debian packages are installed, Kubernetes and etcd are built with Go, once',
  );
  const image = await buildDemoImage(dataDir.root, options.agentImage);
  const cluster = await startCluster({ dir: join(dataDir.root, 'demo', 'cluster'), log: say });
  running.cluster = cluster;
  // Pods reach this machine at the demo's own address, so that is where the plane listens unless told otherwise.
  const host = options.host ?? cluster.bridgeAddress;
  const plane = await startPlane({ ...options, dataDir, host, agentImage: image.name, say });
  running.plane = plane;
  const administrator = await setUpAdministrator(plane);
  const kubeconfigs = await importDemoCluster({ plane, cluster, image, administrator: administrator.id, say });
  return { plane, administrator, importCommand: null, demo: { kubeconfigs, kubectl: cluster.kubectlPath } };
}

async function checkPort({ host, port }: Options): Promise<void> {
  try {
    await freePort(host ?? UNUSED_LOOPBACK, port, host ?? 'every address');
  } catch (error) {
    // The cluster's own address is there only once the cluster is.
    if (!(error instanceof Problem) || codeOf(error.cause) !== 'EADDRNOTAVAIL') throw error;
  }
}
