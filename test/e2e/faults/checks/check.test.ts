import { describe, expect, test } from 'vitest';
import { violations, watchViolations, type Witness } from './check.ts';
import type { Heard, Kind, Sent, Told, WatchEvent } from '../workload/journal.ts';

const answered = (status: number, retryAfter = false): Told => ({ how: 'answered', status, retryAfter, text: '' });
const BROKEN: Told = { how: 'broken', error: 'ECONNRESET' };

const sent = (kind: Kind, told: Told): Sent => ({ id: 'one', kind, told, tookMs: 5 });
const witness = (executed: number[], effects: number): Witness => ({
  executed: new Map([['one', executed]]),
  effects: new Map(effects > 0 ? [['one', effects]] : []),
  events: [],
});

const judge = (kind: Kind, told: Told, executed: number[], effects: number, wrong: string | null = null): string[] =>
  violations([sent(kind, told)], witness(executed, effects), () => wrong);

describe('the checker is content with', () => {
  test.for<[string, Kind, Told, number[], number]>([
    ['a write that was executed once and answered so', 'create', answered(201), [201], 1],
    ['a write whose answer was lost', 'append', BROKEN, [200], 1],
    ['a write that was lost on the way', 'append', BROKEN, [], 0],
    ['a write that may have been executed and was not', 'generate', answered(502), [], 0],
    ['a write that may have been executed and was', 'generate', answered(502), [201], 1],
    ['a write that was stored while it was cancelled', 'create', BROKEN, [504], 1],
    ['a refusal of what was not executed', 'create', answered(503, true), [], 0],
    ['a read that was repeated', 'get', answered(200), [200, 200], 0],
  ])('%s', ([, kind, told, executed, effects]) => {
    expect(judge(kind, told, executed, effects)).toEqual([]);
  });
});

describe('the checker finds', () => {
  test.for<[string, Kind, Told, number[], number, RegExp]>([
    ['a write that was executed twice', 'generate', BROKEN, [201, 201], 2, /took effect 2 times/],
    [
      'a write that was sent twice, though the second was refused',
      'create',
      answered(201),
      [201, 409],
      1,
      /2 times \(201, 409\)/,
    ],
    ['a write that was answered and not executed', 'create', answered(201), [], 0, /never executed/],
    ['a write that was answered and has no effect', 'append', answered(200), [200], 0, /took effect 0 times/],
    ['an effect that the audit log does not know', 'append', BROKEN, [], 1, /audit log has it 0 times/],
    ['a refusal of what was executed', 'create', answered(503), [201], 1, /nothing was executed/],
    ['a Retry-After for what was executed', 'create', answered(502, true), [201], 1, /Retry-After/],
    ['a refusal of its own second sending', 'create', answered(409), [409], 0, /no fault explains/],
    ['an answer that never comes', 'get', { how: 'hung' }, [], 0, /no answer and no end/],
    ['a read that nobody answered', 'get', answered(200), [], 0, /never executed/],
  ])('%s', ([, kind, told, executed, effects, said]) => {
    expect(judge(kind, told, executed, effects).join('\n')).toMatch(said);
  });

  test('content that is short and was ended as if it were whole', () => {
    expect(judge('bulk', answered(200), [200], 0, 'two items are missing')).toEqual([
      'bulk one: accepted as complete, but two items are missing',
    ]);
  });

  test('an effect that nobody asked for', () => {
    expect(violations([], witness([], 1), () => null)).toEqual(['one: took effect and was never sent']);
  });
});

describe('of a watch the checker', () => {
  const event = (version: number): WatchEvent => ({ type: 'MODIFIED', name: 'a', resourceVersion: String(version) });
  const reference = [11, 12, 13, 14].map(event);
  const heard = (versions: number[], since = '10', complete = true): Heard => ({
    name: 'w',
    events: versions.map(event),
    since,
    complete,
    watches: 1,
  });

  test('is content with every event since the last list', () => {
    expect(watchViolations(heard([11, 12, 13, 14]), reference)).toEqual([]);
    expect(watchViolations(heard([13, 14], '12'), reference)).toEqual([]);
  });

  test('finds one that was lost, heard twice, made up, or never came', () => {
    expect(watchViolations(heard([11, 13, 14]), reference).join()).toMatch('lost 1 of 4 events, first: MODIFIED a 12');
    expect(watchViolations(heard([11, 12, 12, 13, 14]), reference).join()).toMatch('heard 1 events twice');
    expect(watchViolations(heard([11, 12, 13, 14, 15]), reference).join()).toMatch('a direct watch did not');
    expect(watchViolations(heard([11, 12, 13, 14], '10', false), reference).join()).toMatch('never heard of the last');
  });
});
