import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PROJECT } from '../lib/project.ts';
import type { Project } from './parts.ts';
import { isWhole } from './select.ts';
import type { Selection } from './select.ts';
import { ONE_FAILED, tallyReport } from './tally.ts';
import type { Tally } from './tally.ts';

/** For tests under way to undo what they did to the machine, when vitest is told to end; then it is killed, and its clusters with it. */
const END_MS = 15_000;

/**
 * Runs one project of vitest.config.ts, its output shown as it comes or, where it runs beside others, when it is over, and counts. A run that leaves no report counts as one failure, and so
 * does a whole project in which no test ran: its files were moved, or no longer match.
 */
export async function runProject(
  project: Project,
  selection: Selection,
  { signal, beside = false }: { signal: AbortSignal; beside?: boolean },
): Promise<Tally> {
  const { paths, name } = selection;
  const folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  const report = join(folder, 'report.json');
  try {
    const parameters = [
      'run',
      ...paths,
      `--project=${project}`,
      ...(name === undefined ? [] : [`--testNamePattern=${name}`]),
      '--passWithNoTests',
      '--allowOnly=false',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const exitCode = await vitest(parameters, signal, beside);
    const tally = tallyReport(JSON.parse(await readFile(report, 'utf8')), exitCode, name !== undefined);
    if (!isWhole(selection) || tally.passed + tally.failed > 0) return tally;
    console.error(`✗ ${project}: no test ran`);
    return ONE_FAILED;
  } catch (error) {
    if (!signal.aborted) console.error(`✗ ${project}: no report: ${String(error)}`);
    return ONE_FAILED;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs vitest under this very Node; resolves with its exit code. @param held its output is shown when it is over */
function vitest(parameters: readonly string[], signal: AbortSignal, held: boolean): Promise<number> {
  return new Promise((done, fail) => {
    const program = join(PROJECT, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [program, ...parameters], {
      cwd: PROJECT,
      stdio: held ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    const output: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece: Buffer) => output.push(piece));
    let late: NodeJS.Timeout | undefined;
    const end = (): void => {
      child.kill('SIGTERM');
      late = setTimeout(() => child.kill('SIGKILL'), END_MS);
    };
    signal.addEventListener('abort', end, { once: true });
    child.on('error', fail);
    child.on('close', (code) => {
      clearTimeout(late);
      signal.removeEventListener('abort', end);
      process.stdout.write(Buffer.concat(output));
      done(code ?? 128);
    });
  });
}
