import { addedP50, mbps, p50 } from './common.ts';
import type { Measurement } from './row.ts';

/** Added to the hop between agent and plane, ms; for `direct`, to that between client and backend. */
export const WAN_RTT_MS = 50;

/** Three seconds at 40 MB/s: what a window of 4 MiB takes to grow is part of it, and not most. */
const BYTES = 128_000_000;
const QUICK_BYTES = 64_000_000;

const bulk = (bytes: number) => ({ path: `/bench/bytes?n=${bytes}`, bytes, streams: 1 });

/** The bare backend behind a round trip of {@link WAN_RTT_MS}: what windows and round trips take. */
export const wanMeasurements: readonly Measurement[] = [
  {
    name: 'get-1kb-serial',
    work: {
      scenario: 'get',
      full: { path: '/bench/bytes?n=1024', requests: 40, concurrency: 1, warm: 3 },
      quick: { requests: 15 },
    },
    rows: [p50(), addedP50()],
  },
  {
    name: 'download-1-stream',
    work: { scenario: 'download', full: bulk(BYTES), quick: bulk(QUICK_BYTES) },
    rows: [mbps({ limit: 40 })],
  },
  {
    name: 'upload-1-stream',
    work: {
      scenario: 'upload',
      full: { path: '/bench/upload', bytes: BYTES, streams: 1 },
      quick: { bytes: QUICK_BYTES },
    },
    rows: [mbps({ limit: 40 })],
  },
];
