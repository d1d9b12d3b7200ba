import { expect, test } from 'vitest';
import { ERRORS } from '#schema/errors.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Counted, Counters } from './counters.ts';
import { exposition, NO_METRICS } from './exposition.ts';
import { SLOTS } from './series.ts';

/** The lines of some counters whose name begins with `name`. */
function lines(name: string, count: (counters: Counters) => void, cluster = 'c'): string[] {
  const counters = new Counters(0);
  count(counters);
  const text = exposition(cluster, { ...NO_METRICS, counted: counters.counted });
  return text.split('\n').filter((line) => line.startsWith(`outrider_cluster_${name}`));
}

test('a histogram’s buckets hold what is at or below their bound, the last one everything', () => {
  const counts = lines('queue_delay_seconds', (counters) => {
    for (const milliseconds of [0, 1, 2, 5, 100, 6_000]) counters.delayed(milliseconds);
  });
  expect(counts).toEqual([
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.001"} 2',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.005"} 4',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.01"} 4',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.05"} 4',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.1"} 5',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="0.5"} 5',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="1"} 5',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="5"} 5',
    'outrider_cluster_queue_delay_seconds_bucket{cluster="c",le="+Inf"} 6',
    'outrider_cluster_queue_delay_seconds_sum{cluster="c"} 6.108',
    'outrider_cluster_queue_delay_seconds_count{cluster="c"} 6',
  ]);
});

test('label values are escaped', () => {
  expect(lines('tunnel_up', () => undefined, 'a"b\\c\nd')).toEqual([
    String.raw`outrider_cluster_tunnel_up{cluster="a\"b\\c\nd"} 0`,
  ]);
});

test('every refusal and every code of a reset has a series of its own, codes of a newer peer share one', () => {
  const all = lines('', (counters) => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) counters.refused(code, false, 0);
    for (const code of [...Object.values(ProtocolCode), 77, 78]) {
      counters.reset(code, 'plane');
      counters.reset(code, 'agent');
    }
  });
  const counted = (name: string) => all.filter((line) => line.includes(name)).map((line) => line.split(' ').at(-1));
  expect(counted('refusals_total')).toEqual(Object.keys(ERRORS).map(() => '1'));
  for (const by of ['plane', 'agent']) {
    expect(counted(`resets_by_${by}_total`)).toEqual([...Object.values(ProtocolCode).map(() => '1'), '2']);
  }
});

test('a status beyond the classes is counted all the same', () => {
  const counts = lines('request_duration_seconds_count', (counters) => {
    for (const status of [101, 204, 999]) counters.answered(status, 1);
  });
  expect(counts.filter((line) => !line.endsWith(' 0'))).toEqual(
    ['1xx', '2xx', '5xx'].map((of) => `outrider_cluster_request_duration_seconds_count{cluster="c",outcome="${of}"} 1`),
  );
});

test('what another build kept is worth nothing, whatever it is', () => {
  expect(Counted.safeParse({ since: 0, values: new Float64Array(SLOTS) }).success).toBe(true);
  for (const values of [new Float64Array(SLOTS - 1), [], null]) {
    expect(Counted.safeParse({ since: 0, values }).success).toBe(false);
  }
});

test('the counters fit beside what HELLO settled in a socket’s attachment (16 KiB)', () => {
  expect(SLOTS * Float64Array.BYTES_PER_ELEMENT).toBeLessThan(8 * 1024);
});
