import { readFile } from 'node:fs/promises';
import { diesWithParent } from '../../lib/tie.ts';
import { type ManagedProcess, startProcess, waitUntil } from '../processes.ts';
import { Problem } from '../../lib/problem.ts';

/**
 * A machine within the machine: its own network, mounts, process ids and IPC (namespaces(7)), the host's files otherwise.
 * A node in one leaves the host's interfaces, packet filter, /run and mounts alone, several nodes fit on one host, and
 * when the sandbox's first process ends the kernel ends every other, so that nothing has to be cleaned up after a crash.
 */
export type Sandbox = {
  /** Of the first process, as the host sees it. */
  readonly pid: number;
  /** The command that runs `argv` inside. It gets SIGTERM when the one who runs that command dies. */
  enter(argv: readonly string[]): string[];
  /** Ends everything inside. */
  stop(): Promise<void>;
};

/**
 * Hidden from the node: sockets and state of the host's own services, its logs, and the one place that kubelet cannot be
 * told to leave, the socket for device plugins (k8s.io/kubelet, DevicePluginPath), which two nodes would take from each other.
 */
const PRIVATE_FOLDERS = ['/run', '/var/log', '/var/lib/kubelet'];

const READY_MS = 10_000;
const READY_LINE = 'sandbox ready';

/**
 * The first process. Mounts made by kubelet are seen by containers where a volume asks for it (`rshared`), but in a peer
 * group of their own. Shims lose their parent and come to process 1, which must reap them: that is what `wait` does.
 */
const INIT = [
  'set -e',
  'mount --make-rshared /',
  `mkdir -p ${PRIVATE_FOLDERS.join(' ')}`,
  ...PRIVATE_FOLDERS.map((folder) => `mount -t tmpfs -o mode=0755 tmpfs ${folder}`),
  'mkdir -p /run/lock',
  'ip link set lo up',
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  `echo ${READY_LINE}`,
  'sleep infinity & wait',
].join('\n');

/** Starts an empty sandbox. @throws {Problem} if `dir` could not be seen inside. */
export async function startSandbox(options: {
  dir: string;
  logFile: string;
  onUnexpectedExit: (message: string) => void;
}): Promise<Sandbox> {
  const { dir, logFile, onUnexpectedExit } = options;
  const hidden = PRIVATE_FOLDERS.find((folder) => dir === folder || dir.startsWith(`${folder}/`));
  if (hidden) throw new Problem(`a cluster cannot keep its data under ${hidden}: choose another folder`);

  const namespaces = ['--mount', '--propagation=private', '--pid', '--mount-proc', '--net', '--ipc'];
  const process = await startProcess({
    name: 'node sandbox',
    argv: ['unshare', ...namespaces, '--fork', '--kill-child', '--', 'sh', '-c', INIT],
    logFile,
    // `unshare --fork` ignores SIGTERM.
    stopWithinMs: 0,
    onUnexpectedExit,
  });
  const ready = async (): Promise<boolean> => (await readFile(logFile, 'utf8')).includes(READY_LINE);
  await waitUntil('making namespaces', ready, { withinMs: READY_MS, by: [process] });
  const pid = await onlyChild(process);
  return {
    pid,
    enter: (argv) => {
      const enter = ['nsenter', '--target', String(pid), '--mount', '--pid', '--net', '--ipc', '--'];
      return [...enter, ...diesWithParent(argv, 'TERM')];
    },
    stop: () => process.stop(),
  };
}

/** `unshare --fork` has one child: process 1 of the sandbox. */
async function onlyChild({ pid }: ManagedProcess): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const child = Number(children.trim().split(' ')[0]);
  if (!Number.isInteger(child) || child <= 0) throw new Error(`the sandbox of process ${pid} has no first process`);
  return child;
}
