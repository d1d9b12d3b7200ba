import { fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { join } from 'node:path';

import { PROJECT } from '../lib/project.ts';

/** An installation under way. */
export interface Install {
  /** Resolves when it is over: with the reason when something is lacking. */
  readonly done: Promise<string | undefined>;
}

/** Below everything else: compiling is patient, tests with deadlines are not. */
const NICENESS = 10;

/** Starts to install what end-to-end tests need, in a process of its own at a low priority. Its output is shown line by line. */
export function startInstall(): Install {
  const child = fork(join(PROJECT, 'test/support/tools/main.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let lacking: string | undefined;
  if (child.pid !== undefined) setPriority(child.pid, NICENESS);
  child.on('message', (message) => {
    if (typeof message === 'string') lacking = message;
  });
  const done = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) =>
      resolve(code === 0 ? undefined : (lacking ?? `the installation ended with code ${code}`)),
    );
  });
  return { done };
}
