import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryAnswer, DIRECTORY_DEADLINE_MS, type DirectoryQuestion } from '#schema/directory/questions.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import { reach, Scratch } from './processes/local.ts';

const ASKER = join(PROJECT, 'test', 'support', 'fixtures', 'asker');

/** Asks a directory from within workerd, which takes `caPem` for one of the authorities that the public trusts. */
export interface Asker {
  ask(question: DirectoryQuestion, deadline?: number): Promise<DirectoryAnswer>;
  stop(): Promise<void>;
}

/** A workerd that may dial this machine. */
export async function startAsker(caPem: string): Promise<Asker> {
  const scratch = new Scratch();
  try {
    const trustFile = join(await scratch.folder(), 'ca.pem');
    await writeFile(trustFile, caPem);
    scratch.defer(async () => rm(trustFile));
    const plane = await scratch.plane({ project: ASKER, reach: ['127.0.0.0/8'], trustFile });
    return {
      ask: async (question, deadline = DIRECTORY_DEADLINE_MS) => {
        const response = await reach(plane, '/', { method: 'POST', body: JSON.stringify({ question, deadline }) });
        if (response.status !== 200) throw new Error(`workerd answered ${response.status}: ${await response.text()}`);
        return DirectoryAnswer.parse(await response.json());
      },
      stop: async () => scratch.clear(),
    };
  } catch (error) {
    await scratch.clear();
    throw error;
  }
}
