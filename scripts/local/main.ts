import { constants } from 'node:os';
import { PROJECT } from '../lib/project.ts';
import { Problem, codeOf } from '../lib/problem.ts';
import { HELP, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { startPlane } from './plane.ts';
import { asJson, forPerson } from './ready.ts';
import type { Ready, Running } from './ready.ts';
import { setUp } from './setup.ts';

/** One Ctrl-C arrives more than once: from the terminal, and passed on by npm and by the bootstrap. */
const SAME_KEYPRESS_MS = 300;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const say = (line: string): void => void process.stderr.write(`outrider: ${line}\n`);

/** The cluster's agents hear of the plane's end before their own. */
async function stopAll({ cluster, plane }: Running): Promise<void> {
  await plane?.stop();
  await cluster?.stop();
}

/**
 * Ends the process on a signal: the first lets requests end, the next does not wait. Before anything is up there is nothing to wait for.
 * Its exit code is 0 for what was up and was asked to end, else that of a program ended by the signal (128 and its number).
 */
function endOnSignal(running: Running, isReady: () => boolean): void {
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstAt !== undefined && Date.now() - firstAt < SAME_KEYPRESS_MS) return;
    const code = isReady() ? 0 : 128 + constants.signals[signal];
    const nothing = running.cluster === undefined && running.plane === undefined;
    // Leaving takes workerd and the demo's processes along, by SIGKILL; what was acknowledged is on disk.
    if (firstAt !== undefined || nothing) process.exit(code);
    firstAt = Date.now();
    say('stopping; once more to stop at once');
    void stopAll(running).then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}

async function serve(options: Options): Promise<void> {
  const running: Running = {};
  let isReady = false;
  endOnSignal(running, () => isReady);
  try {
    const ready = await start(options, running);
    process.stdout.write(`${options.json ? asJson(ready) : forPerson(ready)}\n`);
    isReady = true;
  } catch (error) {
    await stopAll(running);
    throw error;
  }
}

async function start(options: Options, running: Running): Promise<Ready> {
  if (options.demo) {
    // What only the demo needs is loaded for it alone: a plane without it starts sooner.
    const { startDemo } = await import('./demo/start.ts');
    return await startDemo(options, running, say);
  }
  const plane = await startPlane({ ...options, say });
  running.plane = plane;
  return { plane, ...(await setUp(plane)), demo: null };
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
