import { describe, expect, it } from 'vitest';
import type { Field } from '#schema/protocol/codec/head.ts';
import { contentLength, fromRaw, fromWire, requestFields, responseFields, toWire, upgradeFields } from './fields.ts';

const names = (fields: readonly Field[]): string[] => fields.map(([name]) => name);

describe('a request', () => {
  it.each([
    'connection',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'proxy-authorization',
    'proxy-connection',
  ])('loses %s, which is of one connection', (name) => {
    expect(
      names(
        requestFields([
          [name, 'x'],
          ['accept', '*/*'],
        ]),
      ),
    ).toEqual(['accept']);
  });

  it('loses what a Connection field names, in any of several, in any case', () => {
    const fields: Field[] = [
      ['connection', 'close, X-One'],
      ['x-one', '1'],
      ['connection', ' x-TWO ,'],
      ['x-two', '2'],
      ['x-three', '3'],
    ];
    expect(names(requestFields(fields))).toEqual(['x-three']);
  });

  it('keeps its identity though a Connection field names it (CVE-2021-31999)', () => {
    const fields: Field[] = [
      ['connection', 'Impersonate-User, impersonate-group, impersonate-extra-a'],
      ['impersonate-user', 'u-a'],
      ['impersonate-group', 'g'],
      ['impersonate-extra-a', 'x'],
    ];
    expect(names(requestFields(fields))).toEqual(['impersonate-user', 'impersonate-group', 'impersonate-extra-a']);
  });

  it.each(['authorization', 'host', 'expect', 'x-remote-user', 'x-remote-group', 'x-remote-extra-a'])(
    "loses %s, which is the agent's to say or nobody's",
    (name) => {
      expect(requestFields([[name, 'x']])).toEqual([]);
    },
  );

  it('keeps the rest as it is, repeated fields too', () => {
    const fields: Field[] = [
      ['accept-encoding', 'gzip'],
      ['x-a', '1'],
      ['x-a', '2'],
      ['cookie', 'c'],
    ];
    expect(requestFields(fields)).toEqual(fields);
  });

  it('that upgrades loses the handshake of its client', () => {
    const fields: Field[] = [
      ['sec-websocket-key', 'k'],
      ['sec-websocket-version', '13'],
      ['sec-websocket-extensions', 'permessage-deflate'],
      ['sec-websocket-protocol', 'v5.channel.k8s.io'],
      ['content-length', '0'],
      ['origin', 'https://x'],
    ];
    expect(names(upgradeFields(fields))).toEqual(['origin']);
  });
});

it('an answer loses the fields of its connection', () => {
  const fields: Field[] = [
    ['connection', 'x-hop'],
    ['x-hop', '1'],
    ['transfer-encoding', 'chunked'],
    ['content-length', '2'],
    ['warning', 'w'],
  ];
  expect(names(responseFields(fields))).toEqual(['content-length', 'warning']);
});

describe('Content-Length', () => {
  it.each([
    [[], null],
    [['0'], 0],
    [['5'], 5],
    [['5', '5'], 5],
    [['5', '6'], false],
    [['5, 5'], false],
    [['+5'], false],
    [['-5'], false],
    [['5 '], false],
    [['0x5'], false],
    [[''], false],
    [['9'.repeat(16)], false],
  ] as [string[], number | null | false][])('%j is %j', (values, length) => {
    expect(contentLength(values.map((value): Field => ['content-length', value]))).toBe(length);
  });
});

describe('text on the wire', () => {
  it.each(['plain', 'José', '日本', '😀'])('carries %s there and back as UTF-8', (text) => {
    expect(Buffer.from(toWire(text), 'latin1').toString('utf8')).toBe(text);
    expect(fromWire(toWire(text))).toBe(text);
  });

  it('keeps octets that are no UTF-8', () => {
    expect(fromWire('caf\u00e9')).toBe('caf\u00e9');
  });

  it('gives raw fields lower-case names', () => {
    expect(fromRaw([Buffer.from('X-A'), Buffer.from('1'), 'X-B', '2'])).toEqual([
      ['x-a', '1'],
      ['x-b', '2'],
    ]);
  });
});
