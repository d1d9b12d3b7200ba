import type { Goal, Row } from './row.ts';

/** Lines that several measurements have. */

export const p50 = (...goals: Goal[]): Row => ({ metric: 'p50', label: 'p50', unit: 'ms', better: 'lower', goals });
export const p99 = (...goals: Goal[]): Row => ({ metric: 'p99', label: 'p99', unit: 'ms', better: 'lower', goals });
export const addedP50 = (...goals: Goal[]): Row => ({
  metric: 'p50',
  label: 'added p50',
  unit: 'ms',
  better: 'lower',
  added: true,
  goals,
});
export const rate = (...goals: Goal[]): Row => ({
  metric: 'rate',
  label: 'rate',
  unit: '1/s',
  better: 'higher',
  goals,
});
export const mbps = (...goals: Goal[]): Row => ({
  metric: 'mbps',
  label: 'MB/s',
  unit: 'MB/s',
  better: 'higher',
  goals,
});
