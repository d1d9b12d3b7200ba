import { expect, test } from 'vitest';
import { simulate, type Result } from './simulate.ts';

/** Worlds in `npm test`. */
const SEEDS = 300;

/** A tunnel is back within this once the plane can be reached, in 99 of 100 cases, ms. */
const BACK_MS = 3_000;

/** Failing seeds that are told in full. */
const TOLD = 3;

const only = process.env['OUTRIDER_SIM_SEED'];
const count = Number(process.env['OUTRIDER_SIM_SEEDS'] ?? SEEDS);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

test(`${seeds.length === 1 ? `the world of seed ${seeds[0]} keeps` : `${seeds.length} worlds of faults keep`} what was promised`, async () => {
  const results: Result[] = [];
  for (const seed of seeds) results.push(await simulate(seed));
  const failed = results.filter(({ problems }) => problems.length > 0);
  for (const result of failed.slice(0, TOLD)) console.log(result.story());
  if (only !== undefined && failed.length === 0) console.log(results[0]?.story());
  expect(failed.map(({ seed, problems }) => `seed ${seed}: ${problems.join('; ')}`)).toEqual([]);
  const comebacks = results
    .flatMap((result) => result.comebacks.filter(({ rebuffed }) => !rebuffed).map(({ ms }) => ms))
    .toSorted((a, b) => a - b);
  const p99 = comebacks[Math.floor(comebacks.length * 0.99)] ?? 0;
  expect(p99, `the 99th percentile of ${comebacks.length} tunnels that came back`).toBeLessThanOrEqual(BACK_MS);
}, 600_000);

test('the same seed gives the same world', async () => {
  const [first, second] = [await simulate(7), await simulate(7)];
  expect(second.events).toBe(first.events);
  expect(second.story()).toBe(first.story());
});
