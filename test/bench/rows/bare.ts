import { addedP50, mbps, p50, p99, rate } from './common.ts';
import type { Measurement } from './row.ts';

/** A kubelet's and a browser's smallest answers are about that long. */
const GET_1KB = '/bench/bytes?n=1024';

/** What one stream carries: seconds of it at a tunnel's speed, so that windows have grown to their full size. */
const BULK_BYTES = 256_000_000;
const QUICK_BULK_BYTES = 64_000_000;

const CP_BYTES = 500_000_000;
const QUICK_CP_BYTES = 50_000_000;

const bulk = (bytes: number) => ({ path: `/bench/bytes?n=${bytes}`, bytes, streams: 1 });
const cpOut = (bytes: number) => ({ path: `/bench/exec?out=${bytes}`, bytes });

/** Against the bare backend: what the path itself takes, with nothing of an API server in it. */
export const bareMeasurements: readonly Measurement[] = [
  {
    name: 'get-1kb-serial',
    work: {
      scenario: 'get',
      full: { path: GET_1KB, requests: 3000, concurrency: 1, warm: 200 },
      quick: { requests: 800, warm: 100 },
    },
    rows: [p50(), p99({ limit: 10 }), addedP50({ limit: 0.8 }, { times: 1.5, of: 'remotedialer' })],
  },
  {
    name: 'get-1kb-64way',
    work: {
      scenario: 'get',
      full: { path: GET_1KB, requests: 8000, concurrency: 64, warm: 500 },
      quick: { requests: 3000, warm: 300 },
    },
    rows: [
      rate({ times: 0.5, of: 'remotedialer' }),
      { metric: 'serverCpu', label: 'server CPU a request', unit: 'µs', better: 'lower' },
      { metric: 'agentCpu', label: 'agent CPU a request', unit: 'µs', better: 'lower' },
    ],
  },
  {
    name: 'download',
    work: { scenario: 'download', full: bulk(BULK_BYTES), quick: bulk(QUICK_BULK_BYTES) },
    rows: [mbps({ times: 1.3, of: 'remotedialer' })],
  },
  {
    name: 'upload',
    work: {
      scenario: 'upload',
      full: { path: '/bench/upload', bytes: BULK_BYTES, streams: 1 },
      quick: { bytes: QUICK_BULK_BYTES },
    },
    rows: [mbps({ times: 1.3, of: 'remotedialer' })],
  },
  {
    name: 'get-1kb-beside-8-bulk',
    work: {
      scenario: 'beside',
      // Each loop repeats its transfer until the GETs are done.
      full: {
        path: GET_1KB,
        requests: 500,
        bulkPath: `/bench/bytes?n=${QUICK_BULK_BYTES}`,
        bulkStreams: 8,
        bulkBytes: QUICK_BULK_BYTES,
      },
      quick: { requests: 120 },
    },
    rows: [
      p50(),
      p99({ limit: 15 }, { times: 1, of: 'remotedialer' }),
      { metric: 'bulkMbps', label: 'bulk MB/s', unit: 'MB/s', better: 'higher' },
    ],
  },
  {
    name: 'events',
    work: {
      scenario: 'events',
      full: { path: '/bench/events?n=400&every=5ms', count: 400 },
      quick: { path: '/bench/events?n=150&every=4ms', count: 150 },
    },
    rows: [p50(), p99(), addedP50({ limit: 2 })],
  },
  {
    name: 'exec',
    work: {
      scenario: 'exec',
      full: { path: '/bench/exec?out=16', count: 400, concurrency: 8, subprotocol: 'v5.channel.k8s.io' },
      quick: { count: 150 },
    },
    rows: [rate({ limit: 100 }), p50()],
  },
  {
    name: 'cp-out',
    onceIfQuick: true,
    work: { scenario: 'cpout', full: cpOut(CP_BYTES), quick: cpOut(QUICK_CP_BYTES) },
    rows: [mbps()],
  },
  {
    name: 'cp-in',
    onceIfQuick: true,
    work: {
      scenario: 'cpin',
      full: { path: '/bench/exec?in=1', bytes: CP_BYTES },
      quick: { bytes: QUICK_CP_BYTES },
    },
    rows: [mbps()],
  },
  {
    name: 'live-streams',
    onceIfQuick: true,
    work: { scenario: 'streams', full: { path: '/bench/hang', count: 1000 }, quick: {} },
    rows: [
      { metric: 'open', label: 'open', unit: 'streams', better: 'higher', goals: [{ limit: 1000 }] },
      { metric: 'seconds', label: 'seconds', unit: 's', better: 'lower' },
    ],
  },
];
