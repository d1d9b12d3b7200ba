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

/** From nothing, on two cores that run the other tests meanwhile, it takes 10. What takes longer waits for something, such as a held lock. */
const LONGEST_MINUTES = 20;

/** Starts to install what end-to-end tests need, in a process of its own at a low priority. Its output is shown line by line. */
export function startInstall(): Install {
  const child = fork(join(PROJECT, 'test/support/tools/main.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let lacking: string | undefined;
  if (child.pid !== undefined) setPriority(child.pid, NICENESS);
  child.on('message', (message) => {
    if (typeof message === 'string') lacking = message;
  });
  const { promise: done, resolve } = Promise.withResolvers<string | undefined>();
  const late = setTimeout(() => {
    child.kill();
    resolve(`the installation took more than ${LONGEST_MINUTES} minutes; its last line above says what it waits for`);
  }, LONGEST_MINUTES * 60_000);
  child.on('error', (error) => resolve(error.message));
  child.on('close', (code) => {
    clearTimeout(late);
    resolve(code === 0 ? undefined : (lacking ?? `the installation ended with code ${code}`));
  });
  return { done };
}
