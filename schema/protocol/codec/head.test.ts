import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { codeName, ProtocolError } from './codes.ts';
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  type Field,
  type RequestHead,
} from './head.ts';
import { MAX_HEAD_BYTES, MAX_HEAD_FIELDS } from '../limits.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

/** The name of the code with which `verb` is refused. */
function refusal(verb: () => unknown): string {
  try {
    verb();
  } catch (error) {
    if (error instanceof ProtocolError) return codeName(error.code);
    throw error;
  }
  return 'accepted';
}

const name = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc
  .string({ unit: 'binary', maxLength: 40 })
  // oxlint-disable-next-line no-control-regex -- controls are what it removes
  .map((text) => text.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f]/g, '\t'));
const fields: fc.Arbitrary<Field[]> = fc.array(fc.tuple(name, value), { maxLength: 8 });
const target = fc.webPath().map((path) => `/${path}?a=%2F//&b=ü`);

describe('round trip', () => {
  test('requests come back octet for octet', () => {
    const request = fc.record({ method: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'), target, fields });
    fc.assert(
      fc.property(request, (head) => {
        expect(decodeRequestHead(encodeRequestHead(head))).toEqual(head);
      }),
    );
  });

  test('responses come back octet for octet', () => {
    fc.assert(
      fc.property(fc.record({ status: fc.integer({ min: 100, max: 599 }), fields }), (head) => {
        expect(decodeResponseHead(encodeResponseHead(head))).toEqual(head);
      }),
    );
  });

  test('order, repetition, colons, spaces and empty values of fields are kept', () => {
    const head: RequestHead = {
      method: 'GET',
      target: '/api//v1/%2f?x=a:b',
      fields: [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['host', '[::1]:6443'],
        ['empty', ''],
        ['padded', '  two\t'],
      ],
    };
    expect(decodeRequestHead(encodeRequestHead(head))).toEqual(head);
  });
});

test('golden octets of a request', () => {
  expect(encodeRequestHead({ method: 'GET', target: '/api', fields: [['accept', '*/*']] })).toEqual(
    utf8('GET /api\naccept:*/*'),
  );
});

const NAMES = ['', 'Host', 'a b', 'a:b', 'a\nb', 'a\r', 'a\0', 'ä', ' a', 'a ', '\u{feff}a'];
const VALUES = ['a\nimpersonate-user:admin', 'a\r\nb', '\r', '\0', '\u0001', '\u001f', '\u007f'];
const TARGETS = ['', 'api', 'http://other/', '/a b', '/a\nx:y', '/a\r', '/a\0', '/a\tb', '/a\u007f', '*'];
const METHODS = ['', 'get', 'GET ', 'GE T', 'GET\n', 'A'.repeat(33), 'GÉT', '\u{feff}GET'];

describe('an encoder refuses to forge', () => {
  test.each(NAMES)('the field name %j', (bad) => {
    expect(refusal(() => encodeRequestHead({ method: 'GET', target: '/', fields: [[bad, 'x']] }))).toBe(
      'PROTOCOL_ERROR',
    );
    expect(refusal(() => encodeResponseHead({ status: 200, fields: [[bad, 'x']] }))).toBe('PROTOCOL_ERROR');
  });
  test.each([...VALUES, '\ud800'])('the field value %j', (bad) => {
    expect(refusal(() => encodeRequestHead({ method: 'GET', target: '/', fields: [['x', bad]] }))).toBe(
      'PROTOCOL_ERROR',
    );
    expect(refusal(() => encodeResponseHead({ status: 200, fields: [['x', bad]] }))).toBe('PROTOCOL_ERROR');
  });
  test.each([...TARGETS, '/\udc00'])('the target %j', (bad) => {
    expect(refusal(() => encodeRequestHead({ method: 'GET', target: bad, fields: [] }))).toBe('PROTOCOL_ERROR');
  });
  test.each(METHODS)('the method %j', (bad) => {
    expect(refusal(() => encodeRequestHead({ method: bad, target: '/', fields: [] }))).toBe('PROTOCOL_ERROR');
  });
  test.each([0, 99, 600, 200.5, Number.NaN, -200])('the status %d', (status) => {
    expect(refusal(() => encodeResponseHead({ status, fields: [] }))).toBe('PROTOCOL_ERROR');
  });
});

describe('a decoder refuses', () => {
  const requests = [
    '',
    'GET',
    'GET/',
    ' /',
    'GET  /',
    'GET /\r\na:b',
    'GET /\n',
    'GET /\n\na:b',
    'GET /\na',
    'GET /\n:x',
  ];
  const responses = ['', '20', '2000', '099', '600', '2e2', ' 200', '200\n', '200 OK', '200\na:b\n', '200\nB:c', '+20'];
  test.each(requests)('the request %j', (text) => {
    expect(refusal(() => decodeRequestHead(utf8(text)))).toBe('PROTOCOL_ERROR');
  });
  test.each(responses)('the response %j', (text) => {
    expect(refusal(() => decodeResponseHead(utf8(text)))).toBe('PROTOCOL_ERROR');
  });
  test.each(VALUES.filter((v) => !v.includes('impersonate')))('the field value %j', (bad) => {
    expect(refusal(() => decodeResponseHead(utf8(`200\nx:${bad}`)))).toBe('PROTOCOL_ERROR');
  });
  test('octets that are not UTF-8, overlong forms and surrogates among them', () => {
    for (const bad of [[0xff], [0xc0, 0x8a], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(refusal(() => decodeResponseHead(Uint8Array.of(...utf8('200\nx:'), ...bad)))).toBe('PROTOCOL_ERROR');
    }
  });
  test('a byte order mark before the first line', () => {
    expect(refusal(() => decodeResponseHead(Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8('200'))))).toBe('PROTOCOL_ERROR');
    expect(refusal(() => decodeRequestHead(Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8('GET /'))))).toBe('PROTOCOL_ERROR');
  });
});

test('a decoder gives a head or a ProtocolError, whatever it is fed', () => {
  const near = fc.string({ maxLength: 30 }).map((text) => utf8(`GET /\n${text}`));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), near), (octets) => {
      expect(['accepted', 'PROTOCOL_ERROR']).toContain(refusal(() => decodeRequestHead(octets)));
      expect(['accepted', 'PROTOCOL_ERROR']).toContain(refusal(() => decodeResponseHead(octets)));
    }),
    { numRuns: 1000 },
  );
});

test('128 KiB is the largest head, both ways', () => {
  const room = MAX_HEAD_BYTES - '200\nx:'.length;
  const largest = encodeResponseHead({ status: 200, fields: [['x', 'a'.repeat(room)]] });
  expect(decodeResponseHead(largest).fields[0]?.[1]).toHaveLength(room);
  expect(refusal(() => encodeResponseHead({ status: 200, fields: [['x', 'a'.repeat(room + 1)]] }))).toBe('LIMIT');
  expect(refusal(() => decodeResponseHead(new Uint8Array(MAX_HEAD_BYTES + 1)))).toBe('LIMIT');
});

// Tried without the limit: 40,000 fields are decoded.
test('2,048 fields are the most that a head has, both ways', () => {
  const fields = Array.from({ length: MAX_HEAD_FIELDS }, (): [string, string] => ['a', '']);
  expect(decodeResponseHead(encodeResponseHead({ status: 200, fields })).fields).toHaveLength(MAX_HEAD_FIELDS);
  expect(refusal(() => encodeResponseHead({ status: 200, fields: [...fields, ['a', '']] }))).toBe('LIMIT');
  expect(refusal(() => decodeResponseHead(utf8(`200${'\na:'.repeat(MAX_HEAD_FIELDS + 1)}`)))).toBe('LIMIT');
  expect(refusal(() => encodeRequestHead({ method: 'GET', target: '/', fields: [...fields, ['a', '']] }))).toBe(
    'LIMIT',
  );
  expect(refusal(() => decodeRequestHead(utf8(`GET /${'\na:'.repeat(MAX_HEAD_FIELDS + 1)}`)))).toBe('LIMIT');
});
