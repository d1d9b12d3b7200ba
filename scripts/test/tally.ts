import { z } from 'zod';

/** How many tests ended how. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NOTHING: Tally = { passed: 0, failed: 0, skipped: 0 };
export const ONE_FAILED: Tally = { passed: 0, failed: 1, skipped: 0 };

export const add = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** The part of vitest's JSON report that is counted (https://vitest.dev/guide/reporters#json-reporter). */
const reportSchema = z.looseObject({
  testResults: z.array(
    z.looseObject({
      status: z.enum(['passed', 'failed']),
      assertionResults: z.array(
        z.looseObject({ status: z.enum(['passed', 'failed', 'skipped', 'pending', 'todo', 'disabled']) }),
      ),
    }),
  ),
});

/**
 * Counts a report. A file that failed without a failed test (it did not load, or a hook threw) counts as one failure, and so does a run that
 * failed without saying where, as on an error that nothing caught.
 *
 * @param byName tests were chosen by name: those passed over are reported as skipped, and are not
 * @throws when it is not such a report
 */
export function tallyReport(report: unknown, exitCode: number, byName: boolean): Tally {
  let tally = NOTHING;
  for (const file of reportSchema.parse(report).testResults) {
    const count = (...wanted: string[]): number =>
      file.assertionResults.filter(({ status }) => wanted.includes(status)).length;
    const failed = count('failed');
    tally = add(tally, {
      passed: count('passed'),
      failed: failed === 0 && file.status === 'failed' ? 1 : failed,
      skipped: byName ? 0 : count('skipped', 'pending', 'todo', 'disabled'),
    });
  }
  return tally.failed === 0 && exitCode !== 0 ? add(tally, ONE_FAILED) : tally;
}

/** Whether a run proves anything: something ran, nothing failed and, where `strict`, nothing was left out. */
export function succeeded({ passed, failed, skipped }: Tally, strict: boolean): boolean {
  return passed > 0 && failed === 0 && !(strict && skipped > 0);
}
