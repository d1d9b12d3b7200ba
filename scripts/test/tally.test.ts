import { expect, test } from 'vitest';

import { succeeded, tallyReport } from './tally.ts';

const file = (status: 'passed' | 'failed', ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});
const report = (...testResults: ReturnType<typeof file>[]) => ({ testResults });

test('adds up the tests of all files; a todo was left out', () => {
  const both = report(file('passed', 'passed', 'skipped', 'todo'), file('failed', 'passed', 'failed', 'failed'));
  expect(tallyReport(both, 1, false)).toEqual({ passed: 2, failed: 2, skipped: 2 });
});

test('a file that did not load is a failure', () => {
  expect(tallyReport(report(file('failed')), 1, false)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('a file whose hook threw is a failure, though its tests say skipped', () => {
  expect(tallyReport(report(file('failed', 'skipped')), 1, false)).toEqual({ passed: 0, failed: 1, skipped: 1 });
});

test('an error outside of every test is a failure', () => {
  expect(tallyReport(report(file('passed', 'passed')), 1, false)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

test('tests that a name pattern passed over are not skipped', () => {
  expect(tallyReport(report(file('passed', 'passed', 'skipped')), 0, true)).toEqual({
    passed: 1,
    failed: 0,
    skipped: 0,
  });
});

test('refuses what is no report', () => {
  expect(() => tallyReport({}, 0, false)).toThrow('testResults');
});

test('zero tests prove nothing, one failure fails, and a skip fails only where strict', () => {
  expect(succeeded({ passed: 0, failed: 0, skipped: 3 }, false)).toBe(false);
  expect(succeeded({ passed: 9, failed: 1, skipped: 0 }, false)).toBe(false);
  expect(succeeded({ passed: 9, failed: 0, skipped: 1 }, false)).toBe(true);
  expect(succeeded({ passed: 9, failed: 0, skipped: 1 }, true)).toBe(false);
});
