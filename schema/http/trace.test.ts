import { expect, test } from 'vitest';
import { traceOf } from './trace.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const NEW = /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/;

test.each(['00', '01', '03', 'ff'])('a caller’s trace goes on unchanged, its flags %s too', (flags) => {
  const traceparent = `00-${ID}-${PARENT}-${flags}`;
  expect(traceOf(traceparent)).toEqual({ traceId: ID, traceparent, continued: true });
});

test.each([`cc-${ID}-${PARENT}-01`, `01-${ID}-${PARENT}-01-what-comes-later`])(
  'of a later version, %s, what this one knows goes on',
  (later) => {
    expect(traceOf(later)).toEqual({ traceId: ID, traceparent: `00-${ID}-${PARENT}-01`, continued: true });
  },
);

test.each([
  null,
  '',
  'x',
  ID,
  `00-${ID}-${PARENT}`,
  `00-${ID}-${PARENT}-01-more`,
  `00-${ID}-${PARENT}-01, 00-${ID}-${PARENT}-01`,
  `ff-${ID}-${PARENT}-01`,
  `00-${ID.toUpperCase()}-${PARENT}-01`,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${ID}-${'0'.repeat(16)}-01`,
  `00-${ID}0-${PARENT}-01`,
  `01-${ID}-${PARENT}-01.more`,
])('%j begins a trace of its own, not sampled', (traceparent) => {
  const trace = traceOf(traceparent);
  expect(trace.traceparent).toMatch(NEW);
  expect(trace.traceparent).toContain(`00-${trace.traceId}-`);
  expect(trace.continued).toBe(false);
});

test('no two traces that begin here are the same', () => {
  expect(new Set(Array.from({ length: 1000 }, () => traceOf(null).traceId)).size).toBe(1000);
});
