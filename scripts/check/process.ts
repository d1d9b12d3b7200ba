import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PROJECT } from '../lib/project.ts';

/** What a finished program left: its exit code (128 and more for a signal) and all that it printed. */
export interface Finished {
  readonly code: number;
  readonly output: string;
}

/** A tool that hangs must not hold the tests for ever; the slowest takes seconds. */
const TIMEOUT_MS = 300_000;

/** A runaway tool must not fill memory: its last words are enough. */
const MAX_OUTPUT_CHARACTERS = 200_000;

/** Runs a program of node_modules/.bin in the project's folder, under the pinned Node. */
export function runTool(name: string, ...parameters: string[]): Promise<Finished> {
  return new Promise((done, fail) => {
    const bin = join(PROJECT, 'node_modules/.bin');
    const child = spawn(join(bin, name), parameters, {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        WRANGLER_SEND_METRICS: 'false',
        NO_COLOR: '1',
        FORCE_COLOR: '0',
      },
    });
    let output = '';
    const take = (text: string): void => {
      output = (output + text).slice(-MAX_OUTPUT_CHARACTERS);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', fail);
    child.on('close', (code, signal) => {
      if (signal !== null) output += `\n${name} was ended by ${signal}`;
      done({ code: code ?? 128, output: output.trim() });
    });
  });
}
