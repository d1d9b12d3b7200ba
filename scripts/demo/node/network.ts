import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import { Problem } from '../../lib/problem.ts';
import type { Sandbox } from './sandbox.ts';

/** Addresses of one cluster on this machine. */
export type ClusterNetwork = {
  /** Which of the machine's cluster networks this is; also in the name of the interface and of the control groups. */
  index: number;
  interfaceName: string;
  /** The host as pods and the node see it. */
  hostAddress: string;
  nodeAddress: string;
  podRange: string;
};

/** So many clusters fit on a machine at once: 10.88 to 10.95. The next second octet is that of the services. */
export const MAX_CLUSTERS = 8;
const FIRST_SECOND_OCTET = 88;

/** Services exist inside each sandbox only, so every cluster can have the same range. */
export const SERVICE_RANGE = '10.96.0.0/16';
export const SERVICE_ADDRESS = '10.96.0.1';

/** Which network has the given index. */
function clusterNetwork(index: number): ClusterNetwork {
  const prefix = `10.${FIRST_SECOND_OCTET + index}`;
  return {
    index,
    interfaceName: `outrider${index}`,
    hostAddress: `${prefix}.0.1`,
    nodeAddress: `${prefix}.0.2`,
    podRange: `${prefix}.1.0/24`,
  };
}

/**
 * Connects a sandbox to the host by a pair of virtual interfaces and takes one of the machine's cluster networks for it,
 * `preferred` if it is free. Making the interface is what claims the network: two clusters can start at the same moment.
 * Interface, addresses and route vanish with the sandbox.
 *
 * @throws {Problem} if all networks are taken.
 */
export async function connectSandbox(sandbox: Sandbox, preferred: number): Promise<ClusterNetwork> {
  const indexes = Array.from({ length: MAX_CLUSTERS }, (_, offset) => (preferred + offset) % MAX_CLUSTERS);
  for (const index of indexes) {
    const network = clusterNetwork(index);
    if (inUse(network) || !(await claim(network, sandbox))) continue;
    await configure(network, sandbox);
    return network;
  }
  throw new Problem('no free network 10.88.0.0/16 to 10.95.0.0/16 for a cluster: stop another cluster first');
}

/** Takes the interface away at once; the kernel would do the same some time after the sandbox has ended. */
export async function disconnect({ interfaceName }: ClusterNetwork): Promise<void> {
  await ip('link', 'delete', interfaceName).catch(() => {});
}

function inUse({ hostAddress }: ClusterNetwork): boolean {
  const prefix = `${hostAddress.split('.').slice(0, 2).join('.')}.`;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address.startsWith(prefix)),
  );
}

async function claim({ interfaceName }: ClusterNetwork, { pid }: Sandbox): Promise<boolean> {
  try {
    await ip('link', 'add', interfaceName, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
    return true;
  } catch (error) {
    if (String(error).includes('File exists')) return false;
    throw error;
  }
}

async function configure(network: ClusterNetwork, sandbox: Sandbox): Promise<void> {
  const { interfaceName, hostAddress, nodeAddress, podRange } = network;
  const inside = (...args: string[]): Promise<void> => run(sandbox.enter(['ip', ...args]));
  await ip('address', 'add', `${hostAddress}/24`, 'dev', interfaceName);
  await ip('link', 'set', interfaceName, 'up');
  await inside('address', 'add', `${nodeAddress}/24`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await inside('route', 'add', 'default', 'via', hostAddress);
  await ip('route', 'add', podRange, 'via', nodeAddress);
}

function ip(...args: string[]): Promise<void> {
  return run(['ip', ...args]);
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args);
}
