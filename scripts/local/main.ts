import type { DemoKubeconfigs } from './demo.ts';
import { HELP, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { PROJECT, startPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { Problem, codeOf } from './problem.ts';
import type { DemoCluster } from '../demo/cluster.ts';
import { ToolError } from '../demo/tools/errors.ts';
import { setUp, setUpAdministrator } from './setup.ts';
import type { FirstSteps } from './setup.ts';

/** One Ctrl-C arrives more than once: from the terminal, and passed on by npm and by the bootstrap. */
const SAME_KEYPRESS_MS = 300;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const say = (line: string): void => void process.stderr.write(`outrider: ${line}\n`);

/** What is printed when all is up. */
interface Ready extends FirstSteps {
  /** Of the demo cluster. */
  readonly kubeconfigs: DemoKubeconfigs | null;
}

/** For scripts: one line, and nothing else, on stdout. */
function asJson(plane: Plane, steps: Ready): string {
  return JSON.stringify({
    url: plane.url,
    ca: plane.caFile,
    dataDir: plane.dataDir.root,
    administrator: { username: steps.administrator.username, password: steps.administrator.password },
    importCommand: steps.importCommand,
    kubeconfigs: steps.kubeconfigs,
  });
}

function forPerson(plane: Plane, steps: Ready, kubectl: string): string {
  const { administrator, importCommand: command, kubeconfigs } = steps;
  const facts: [string, string][] = [
    ['CA', plane.caFile ?? '(a public one)'],
    ['state', plane.dataDir.root],
    ['administrator', administrator.username],
    ['password', administrator.password ?? '(changed since)'],
  ];
  const ways =
    kubeconfigs === null
      ? []
      : [
          'The demo cluster, through the plane and straight to its API server:',
          '',
          `  ${kubectl} --kubeconfig ${kubeconfigs.plane} get nodes`,
          `  ${kubectl} --kubeconfig ${kubeconfigs.direct} get nodes`,
          '',
        ];
  return [
    `Outrider is ready: ${plane.url}`,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(15)}${value}`),
    '',
    ...(command === null ? [] : ['To import a cluster, run against it:', '', `  ${command}`, '']),
    ...ways,
    'Ctrl-C stops it.',
  ].join('\n');
}

/** What runs, in the order in which it was started. */
interface Running {
  cluster?: DemoCluster;
  plane?: Plane;
}

/** Ends the process on a signal: the first lets requests end, the next does not wait. Before anything is up there is nothing to wait for. */
function endOnSignal(running: Running): void {
  let firstAt: number | undefined;
  const onSignal = (): void => {
    if (firstAt !== undefined && Date.now() - firstAt < SAME_KEYPRESS_MS) return;
    const nothing = running.cluster === undefined && running.plane === undefined;
    // Leaving takes workerd and the demo's processes along, by SIGKILL; what was acknowledged is on disk.
    if (firstAt !== undefined || nothing) process.exit(0);
    firstAt = Date.now();
    say('stopping; once more to stop at once');
    void stopAll(running).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}

/** The cluster's agents hear of the plane's end before their own. */
async function stopAll({ cluster, plane }: Running): Promise<void> {
  await plane?.stop();
  await cluster?.stop();
}

async function serve(options: Options): Promise<void> {
  const running: Running = {};
  endOnSignal(running);
  try {
    process.stdout.write(`${await start(options, running)}\n`);
  } catch (error) {
    await stopAll(running);
    throw error;
  }
}

/** Starts everything; the answer is what to print. */
async function start(options: Options, running: Running): Promise<string> {
  // What only the demo needs is loaded for it alone: a plane without it starts sooner.
  const demo = options.demo ? await import('./demo.ts') : null;
  const cluster = (await demo?.startDemoCluster(options.dataDir, say)) ?? null;
  if (cluster !== null) running.cluster = cluster;
  // Pods reach this machine at the demo's own address, so that is where the plane listens unless told otherwise.
  const host = options.host ?? cluster?.bridgeAddress;
  const plane = await startPlane({ ...options, host, say });
  running.plane = plane;
  if (demo === null || cluster === null) {
    const steps = { ...(await setUp(plane)), kubeconfigs: null };
    return options.json ? asJson(plane, steps) : forPerson(plane, steps, 'kubectl');
  }
  const administrator = await setUpAdministrator(plane);
  const kubeconfigs = await demo.importDemoCluster(plane, cluster, administrator.id, say);
  const steps = { administrator, importCommand: null, kubeconfigs };
  return options.json ? asJson(plane, steps) : forPerson(plane, steps, cluster.kubectlPath);
}

function report(error: unknown): number {
  if (error instanceof Problem || error instanceof ToolError) {
    say(error.message);
    return error instanceof Problem ? error.exitCode : 1;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

// A reader that has seen enough (`… --json | head -1`) does not end the plane.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error;
  });
}

try {
  const options = readOptions(process.argv.slice(2), {
    project: PROJECT,
    cwd: process.env['INIT_CWD'] ?? process.cwd(),
  });
  if (options.help) process.stdout.write(HELP);
  else await serve(options);
} catch (error) {
  // Whatever was started ends with this process.
  process.exit(report(error));
}
