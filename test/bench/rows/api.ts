import { addedP50, p50, p99, rate } from './common.ts';
import type { Measurement } from './row.ts';

/** What `worlds/api.ts` puts into the cluster: a small object, and namespaces whose lists are of a known size. */
export const API_OBJECTS = {
  small: { namespace: 'bench', name: 'one' },
  watched: { namespace: 'bench-watch' },
  lists: {
    '5mb': { namespace: 'bench-5mb', bytes: 5_000_000 },
    '10mb': { namespace: 'bench-10mb', bytes: 10_000_000 },
  },
} as const;

const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;
const GET_1KB = `${configMaps(API_OBJECTS.small.namespace)}/${API_OBJECTS.small.name}`;

/** Against a real API server with its TLS, authentication, impersonation and RBAC. */
export const apiMeasurements: readonly Measurement[] = [
  {
    name: 'get-1kb-serial',
    work: {
      scenario: 'get',
      full: { path: GET_1KB, requests: 1500, concurrency: 1, warm: 200 },
      quick: { requests: 500, warm: 100 },
    },
    rows: [p50(), p99(), addedP50({ limit: 1 })],
  },
  {
    name: 'get-1kb-64way',
    work: {
      scenario: 'get',
      full: { path: GET_1KB, requests: 5000, concurrency: 64, warm: 500 },
      quick: { requests: 1500, warm: 200 },
    },
    rows: [rate({ times: 0.5, of: 'direct' })],
  },
  {
    name: 'get-1kb-beside-8-lists',
    work: {
      scenario: 'beside',
      full: {
        path: GET_1KB,
        requests: 150,
        bulkPath: configMaps(API_OBJECTS.lists['5mb'].namespace),
        bulkStreams: 8,
        bulkBytes: 0,
      },
      quick: { requests: 40 },
    },
    rows: [
      p50({ times: 2, of: 'direct' }),
      p99(),
      { metric: 'bulkMbps', label: 'lists MB/s', unit: 'MB/s', better: 'higher' },
    ],
  },
  {
    name: 'list-10mb',
    work: {
      scenario: 'get',
      full: { path: configMaps(API_OBJECTS.lists['10mb'].namespace), requests: 20, concurrency: 1, warm: 2 },
      quick: { requests: 4, warm: 1 },
    },
    rows: [p50()],
  },
  {
    name: 'watch',
    work: {
      scenario: 'watch',
      full: { path: configMaps(API_OBJECTS.watched.namespace), count: 200 },
      quick: { count: 40 },
    },
    rows: [p50(), p99(), addedP50({ limit: 2 })],
  },
];
