import { expect, test } from 'vitest';

import { auditBundle, metafileSchema } from './bundle-audit.ts';
import type { BundlePolicy } from './bundle-audit.ts';

const POLICY: BundlePolicy = {
  name: 'worker',
  packages: { zod: 'validation', '@scope/fine': 'an example' },
  refused: { ws: 'sockets of Node' },
  folders: ['workers', 'schema'],
  supplied: (module) => module === 'cloudflare:workers',
  maxBytes: 1000,
};

/** A metafile of one output with these inputs, all of ten bytes unless given. */
const bundle = (inputs: Record<string, number>, { bytes = 100, module = 'cloudflare:workers' } = {}) =>
  metafileSchema.parse({
    inputs: {},
    outputs: {
      'index.js': {
        bytes,
        entryPoint: 'workers/index.ts',
        imports: [{ path: module, kind: 'import-statement', external: true }],
        exports: [],
        inputs: Object.fromEntries(Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }])),
      },
      'index.js.map': { bytes: 9_999, imports: [], exports: [], inputs: {} },
    },
  });

test('passes what is listed, and a source map of any size', () => {
  const inputs = {
    'workers/index.ts': 10,
    'schema/ids.ts': 10,
    'node_modules/zod/v4/index.js': 10,
    'node_modules/@scope/fine/a.js': 10,
  };
  expect(auditBundle(bundle(inputs), POLICY)).toEqual([]);
});

test('gives the reason against a known package, wherever it nests', () => {
  const inputs = { '../x/node_modules/zod/node_modules/ws/index.js': 10 };
  expect(auditBundle(bundle(inputs), POLICY)).toEqual(['worker: package ws: sockets of Node']);
});

test('refuses a package that nobody listed', () => {
  expect(auditBundle(bundle({ 'node_modules/@scope/other/a.js': 10 }), POLICY)).toEqual([
    expect.stringContaining('package @scope/other: unknown'),
  ]);
});

test('passes what was shaken out', () => {
  expect(auditBundle(bundle({ 'node_modules/ws/index.js': 0 }), POLICY)).toEqual([]);
});

test('refuses a folder of the other side', () => {
  expect(auditBundle(bundle({ 'agent/main.ts': 10 }), POLICY)).toEqual([
    'worker: file agent/main.ts: made of workers, schema only',
  ]);
});

test('refuses a module that the runtime lacks', () => {
  expect(auditBundle(bundle({}, { module: 'node:net' }), POLICY)).toEqual([
    'worker: module node:net: its runtime has none',
  ]);
});

test('refuses a bundle over its cap', () => {
  expect(auditBundle(bundle({}, { bytes: 1001 }), POLICY)).toEqual(['worker: 1001 bytes; the cap is 1000']);
});

test('refuses to judge a metafile without an entry', () => {
  expect(auditBundle(metafileSchema.parse({ outputs: {} }), POLICY)).toHaveLength(1);
});
