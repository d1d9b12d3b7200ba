import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PROJECT } from '../lib/project.ts';
import type { Project } from './parts.ts';
import type { Selection } from './select.ts';
import { ONE_FAILED, tallyReport } from './tally.ts';
import type { Tally } from './tally.ts';

/** Runs one project of vitest.config.ts, its output shown as it comes, and counts. A run that leaves no report counts as one failure. */
export async function runProject(project: Project, { paths, name }: Selection): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  const report = join(folder, 'report.json');
  try {
    const exitCode = await vitest([
      'run',
      ...paths,
      `--project=${project}`,
      ...(name === undefined ? [] : [`--testNamePattern=${name}`]),
      '--passWithNoTests',
      '--allowOnly=false',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ]);
    return tallyReport(JSON.parse(await readFile(report, 'utf8')), exitCode, name !== undefined);
  } catch (error) {
    console.error(`✗ ${project}: no report: ${String(error)}`);
    return ONE_FAILED;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs vitest under this very Node; resolves with its exit code. */
function vitest(parameters: readonly string[]): Promise<number> {
  return new Promise((done, fail) => {
    const program = join(PROJECT, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [program, ...parameters], {
      cwd: PROJECT,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    // A terminal's Ctrl-C reaches the child by itself; a supervisor's SIGTERM must be handed on, or its clusters would stay.
    const end = (): boolean => child.kill('SIGTERM');
    process.once('SIGTERM', end);
    child.on('error', fail);
    child.on('close', (code) => {
      process.off('SIGTERM', end);
      done(code ?? 128);
    });
  });
}
