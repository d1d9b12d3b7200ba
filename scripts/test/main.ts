/**
 * All of `npm test`. `npm test -- <part, path or test name> …` runs what matches. The last line is the count, alone:
 * `N passed, N failed, N skipped`; each check of `npm run check` counts as one test.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { runChecks } from '../check/run.ts';
import { PROJECT } from '../lib/project.ts';
import { startInstall } from './install.ts';
import { onInterrupt } from './interrupt.ts';
import { BESIDE, isProject, NEEDS_TOOLS } from './parts.ts';
import type { Part } from './parts.ts';
import { select } from './select.ts';
import { add, NOTHING, ONE_FAILED, succeeded } from './tally.ts';
import type { Tally } from './tally.ts';
import { runProject } from './vitest.ts';

const interrupt = onInterrupt();
const strict = process.env['CI'] === 'true';
const selection = select(process.argv.slice(2), (word) => word.includes('/') || existsSync(join(PROJECT, word)));

// Building Kubernetes takes minutes when its cache is cold: it starts now, and is awaited by the parts that need it.
const install = selection.parts.some((part) => NEEDS_TOOLS.has(part)) ? startInstall() : undefined;

/** Waits for work that leaves nothing on the machine: an interrupt does not. */
async function orLeave<T>(work: Promise<T>): Promise<T> {
  const leave = (): void => process.exit(interrupt.exitCode);
  interrupt.signal.addEventListener('abort', leave);
  try {
    return await work;
  } finally {
    interrupt.signal.removeEventListener('abort', leave);
  }
}

async function run(part: Part): Promise<Tally> {
  if (!isProject(part)) {
    const results = await orLeave(runChecks((line) => console.log(line)));
    const failed = results.filter(({ ok }) => !ok).length;
    return { passed: results.length - failed, failed, skipped: 0 };
  }
  if (NEEDS_TOOLS.has(part)) {
    const lacking = install && (await orLeave(install.done));
    if (lacking !== undefined) {
      console.error(`✗ ${part} cannot run: ${lacking}`);
      return strict ? ONE_FAILED : { ...NOTHING, skipped: 1 };
    }
  }
  return runProject(part, selection, { signal: interrupt.signal, beside: part === BESIDE });
}

/** Runs a part; says how long it took. */
async function timed(part: Part): Promise<{ tally: Tally; seconds: string }> {
  const started = performance.now();
  const tally = await run(part);
  return { tally, seconds: ((performance.now() - started) / 1000).toFixed(1) };
}

const beside = selection.parts.includes(BESIDE) ? timed(BESIDE) : undefined;
let total = NOTHING;
const times: string[] = [];
for (const part of selection.parts) {
  console.log(`\n── ${part}`);
  const { tally, seconds } = await (part === BESIDE && beside ? beside : timed(part));
  if (interrupt.exitCode !== undefined) {
    // It was told to end as well, and has a cluster to take down.
    await beside;
    process.exit(interrupt.exitCode);
  }
  total = add(total, tally);
  times.push(`${part} ${seconds} s${part === BESIDE && selection.parts.length > 1 ? ' beside the others' : ''}`);
}

if (total.passed + total.failed === 0) console.error('✗ no test ran');
if (strict && total.skipped > 0) console.error('✗ CI=true: nothing may be skipped');
console.log(`\n${times.join(', ')}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = succeeded(total, strict) ? 0 : 1;
