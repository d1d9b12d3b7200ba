import { Readable } from 'node:stream';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { FORMATS, showList, showOne } from './format.ts';
import { CLUSTERS, type ClusterRow, span, TOKENS } from './kinds.ts';
import { width } from './safe.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const cluster = (name: string, more: Partial<ClusterRow['status']> = {}): ClusterRow => ({
  id: 'c-gaaaaaaaaaaaaaaaaaa',
  kind: 'Cluster',
  metadata: {
    name,
    generation: 1,
    resourceVersion: '1',
    createdAt: '2026-02-26T12:00:00.000Z',
    createdBy: 'u-aaaaaaaaaa',
    finalizers: [],
    deletedAt: null,
  },
  spec: {},
  status: {
    conditions: [],
    connectedAt: null,
    lastConnectedAt: null,
    kubernetesVersion: null,
    agentVersion: null,
    kubeSystemUid: null,
    ...more,
  },
  links: {},
});
const IMPORTED = { connectedAt: '2026-02-26T13:00:00.000Z', kubernetesVersion: 'v1.34.2' };

/** What is printed. */
function printed(
  show: (io: Io) => void,
  { terminal = false, env = {} }: { terminal?: boolean; env?: Io['env'] } = {},
): string {
  let text = '';
  show({
    env,
    platform: 'linux',
    stdin: Readable.from([]),
    out: (part) => void (text += part),
    say: () => expect.unreachable('data goes to standard output'),
    ask: () => {},
    terminal: { in: terminal, out: terminal, err: terminal },
    signal: new AbortController().signal,
  });
  return text;
}

const both = [cluster('prod-eu', IMPORTED), cluster('b')];

describe('formats', () => {
  test('a table is aligned, and nothing stands behind the last column', () => {
    expect(printed((io) => showList(io, 'table', CLUSTERS, both, NOW))).toBe(
      'NAME      STATUS            VERSION   AGE\nprod-eu   Imported          v1.34.2   3d\nb         Never connected   -         3d\n',
    );
  });

  test('wide has more columns, names are for other commands', () => {
    expect(printed((io) => showList(io, 'wide', CLUSTERS, both, NOW))).toContain('LAST CONNECTED');
    expect(printed((io) => showList(io, 'name', CLUSTERS, both, NOW))).toBe('cluster/prod-eu\ncluster/b\n');
  });

  test('JSON and YAML are what the API gave: a list in its envelope, one thing without', () => {
    expect(JSON.parse(printed((io) => showList(io, 'json', CLUSTERS, both)))).toEqual({ items: both });
    expect(parse(printed((io) => showList(io, 'yaml', CLUSTERS, both)))).toEqual({ items: both });
    expect(JSON.parse(printed((io) => showOne(io, 'json', CLUSTERS, cluster('a'))))).toEqual(cluster('a'));
  });

  test('an empty list is a header, and an empty envelope', () => {
    expect(printed((io) => showList(io, 'table', TOKENS, []))).toBe('ID   TYPE   DESCRIPTION   EXPIRES IN\n');
    expect(JSON.parse(printed((io) => showList(io, 'json', TOKENS, [])))).toEqual({ items: [] });
    expect(printed((io) => showList(io, 'name', TOKENS, []))).toBe('');
  });

  test.each(FORMATS)('no text from the plane moves the cursor or turns the writing: %s', (format) => {
    const hostile = cluster('a\u001b[2J\u0007\u009b31m\r\nb');
    const text = printed((io) => showList(io, format, CLUSTERS, [hostile]));
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });
});

describe('colours', () => {
  const coloured = (terminal: boolean, env: Io['env'] = {}): boolean =>
    printed((io) => showList(io, 'table', CLUSTERS, both), { terminal, env }).includes('\u001b');

  test('are there in a terminal, and only there', () => {
    expect(coloured(true)).toBe(true);
    expect(coloured(false)).toBe(false);
    expect(coloured(true, { NO_COLOR: '1' })).toBe(false);
    expect(coloured(true, { TERM: 'dumb' })).toBe(false);
  });
});

test.each([
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [7_200_000, '2h'],
  [86_400_000 * 3.9, '3d'],
  [-5, '0s'],
])('a span of %d ms is %s', (milliseconds, text) => expect(span(milliseconds)).toBe(text));

test('wide characters take two columns, marks none', () => {
  expect(['abc', '集群', 'e\u0301'].map(width)).toEqual([3, 4, 1]);
});
