import { expect, test } from 'vitest';
import type { Field } from '#schema/protocol/codec/head.ts';
import { contentLength, hasNoContent, responseHeaders } from './response.ts';

const made = (fields: Field[], streamed = false): Headers =>
  new Headers(responseHeaders({ status: 200, fields }, 'request-1', streamed).fields);

test('what the API server says passes, in order and with repetitions', () => {
  const headers = made([
    ['content-type', 'application/json'],
    ['warning', '299 - "one"'],
    ['warning', '299 - "two"'],
  ]);
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('warning')).toBe('299 - "one", 299 - "two"');
  expect(headers.get('x-request-id')).toBe('request-1');
});

test('fields of one hop, and those that Connection names in any line and case, are dropped', () => {
  const headers = made([
    ['connection', 'close, X-Hop'],
    ['connection', ' x-other '],
    ['keep-alive', 'timeout=5'],
    ['x-hop', '1'],
    ['x-other', '2'],
    ['x-stays', '3'],
  ]);
  expect([...headers.keys()].filter((name) => name.startsWith('x-'))).toEqual([
    'x-content-type-options',
    'x-request-id',
    'x-stays',
  ]);
  expect(headers.has('connection')).toBe(false);
  expect(headers.has('keep-alive')).toBe(false);
});

test('streamed content says that it is encoded already, unless it is', () => {
  expect(made([], true).get('content-encoding')).toBe('identity');
  expect(made([['content-encoding', 'gzip']], true).get('content-encoding')).toBe('gzip');
  expect(made([]).has('content-encoding')).toBe(false);
});

// Taken out: each of the two names. It failed.
test.each(['outrider-code', 'outrider-told'])('attack: a cluster does not say %s, which is the plane’s', (name) => {
  expect(made([[name, 'x']]).has(name)).toBe(false);
});

test('a request id of the cluster does not stand for ours', () => {
  expect(made([['x-request-id', 'theirs']]).get('x-request-id')).toBe('request-1');
});

test.each<[Field[], number | null]>([
  [[['content-length', '0']], 0],
  [[['content-length', '123456789012345']], 123456789012345],
  [[], null],
  [[['content-length', '1234567890123456']], null],
  [[['content-length', '1e3']], null],
  [[['content-length', ' 5']], null],
  [
    [
      ['content-length', '5'],
      ['content-length', '5'],
    ],
    null,
  ],
])('the length of %j is %s', (fields, length) => {
  expect(contentLength({ fields })).toBe(length);
});

test.each([
  ['HEAD', 200, true],
  ['GET', 204, true],
  ['GET', 205, true],
  ['GET', 304, true],
  ['GET', 200, false],
  ['HEAD', 404, true],
])('a response to %s with status %s has no content: %s', (method, status, empty) => {
  expect(hasNoContent(method, status)).toBe(empty);
});

test.each(['constructor', '__proto__', 'valueof', '7'])('a field named %s passes like any other', (name) => {
  expect(made([[name, 'x']]).get(name)).toBe('x');
});
