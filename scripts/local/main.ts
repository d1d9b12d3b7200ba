import { HELP, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { PROJECT, startPlane } from './plane.ts';
import type { Plane } from './plane.ts';
import { Problem, codeOf } from './problem.ts';
import { setUp } from './setup.ts';
import type { FirstSteps } from './setup.ts';

/** One Ctrl-C arrives more than once: from the terminal, and passed on by npm and by the bootstrap. */
const SAME_KEYPRESS_MS = 300;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const say = (line: string): void => void process.stderr.write(`outrider: ${line}\n`);

/** For scripts: one line, and nothing else, on stdout. */
function asJson(plane: Plane, { administrator, importCommand }: FirstSteps): string {
  return JSON.stringify({
    url: plane.url,
    ca: plane.caFile,
    dataDir: plane.dataDir.root,
    administrator: { username: administrator.username, password: administrator.password },
    importCommand,
    kubeconfigs: null,
  });
}

function forPerson(plane: Plane, { administrator, importCommand }: FirstSteps): string {
  const facts: [string, string][] = [
    ['CA', plane.caFile ?? '(a public one)'],
    ['state', plane.dataDir.root],
    ['administrator', administrator.username],
    ['password', administrator.password ?? '(changed since, or its file was removed)'],
  ];
  return [
    `Outrider is ready: ${plane.url}`,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(15)}${value}`),
    '',
    ...(importCommand === null ? [] : ['To import a cluster, run against it:', '', importCommand, '']),
    'Ctrl-C stops it.',
  ].join('\n');
}

/** Ends the process on a signal: the first lets requests end, the next does not wait. Before the plane is up there is nothing to wait for. */
function endOnSignal(running: () => Plane | undefined): void {
  let firstAt: number | undefined;
  const onSignal = (): void => {
    if (firstAt !== undefined && Date.now() - firstAt < SAME_KEYPRESS_MS) return;
    const plane = running();
    // Leaving takes workerd along, by SIGKILL; what it has acknowledged is on disk.
    if (firstAt !== undefined || plane === undefined) process.exit(0);
    firstAt = Date.now();
    say('stopping; once more to stop at once');
    void plane.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}

async function serve(options: Options): Promise<void> {
  let plane: Plane | undefined;
  endOnSignal(() => plane);
  plane = await startPlane({ ...options, say });
  const steps = await setUp(plane);
  process.stdout.write(`${options.json ? asJson(plane, steps) : forPerson(plane, steps)}\n`);
}

function report(error: unknown): number {
  if (error instanceof Problem) {
    say(error.message);
    return error.exitCode;
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
