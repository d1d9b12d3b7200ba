import { expect, test } from 'vitest';
import { fieldOf, requestFields } from './fields.ts';
import type { Word } from './word.ts';

const identity = { user: 'u-aaaaaaaaaa', groups: ['g'], username: 'ada', token: 't-aaaaaaaaaa' };
const word: Word = {
  ...{ kind: 'call', caller: 'x', requestId: 'r-1', address: '' },
  ...{ traceparent: '00-1-2-00', continued: false, acceptEncoding: null },
};
const PLANE = [
  ['x-request-id', 'r-1'],
  ['traceparent', '00-1-2-00'],
  ['audit-id', 'r-1'],
];
const IDENTITY = [
  ['impersonate-user', 'u-aaaaaaaaaa'],
  ['impersonate-group', 'g'],
  ['impersonate-extra-outrider.dev%2fusername', 'ada'],
  ['impersonate-extra-outrider.dev%2ftoken', 't-aaaaaaaaaa'],
];
const fields = (init: HeadersInit, said: Partial<Word> = {}): unknown[] =>
  requestFields(new Headers(init), { ...word, ...said }, identity);

test('the identity comes last, after what the client sent and what the plane adds', () => {
  expect(fields({ accept: 'application/json' })).toEqual([['accept', 'application/json'], ...PLANE, ...IDENTITY]);
});

test('no identity of another kind stands beside it', () => {
  expect(fields({ authorization: 'Bearer x', cookie: 'a=b', 'x-remote-user': 'root' })).toEqual([
    ...PLANE,
    ...IDENTITY,
  ]);
  expect(() => fields({ 'impersonate-uid': '0' })).toThrow('leave out --as');
});

test('a request has one id, the plane’s; an audit id of the client’s own stays', () => {
  const sent = fields({ 'x-request-id': 'forged', 'audit-id': 'mine' });
  expect(sent).toEqual([['audit-id', 'mine'], PLANE[0], PLANE[1], ...IDENTITY]);
});

test('the trace is the one that was told; tracestate belongs to a trace that goes on', () => {
  const init = { traceparent: 'anything', tracestate: 'a=b' };
  expect(fields(init)).toEqual([...PLANE, ...IDENTITY]);
  expect(fields(init, { continued: true })).toEqual([['tracestate', 'a=b'], ...PLANE, ...IDENTITY]);
});

test('Accept-Encoding is what the client sent to the edge, where there is one', () => {
  const sent = { 'accept-encoding': 'br, gzip' };
  expect(fields(sent, { acceptEncoding: 'identity' })[0]).toEqual(['accept-encoding', 'identity']);
  expect(fields(sent, { acceptEncoding: '' })[0]).toEqual(['accept-encoding', '']);
  expect(fields(sent)[0]).toEqual(['accept-encoding', 'br, gzip']);
});

test('what is told of a request is what was sent on, and not what Connection took out of it', () => {
  const headers = new Headers({ connection: 'audit-id, user-agent', 'audit-id': 'theirs', 'user-agent': 'x' });
  const sent = requestFields(headers, word, identity);
  expect([fieldOf(sent, 'audit-id'), fieldOf(sent, 'user-agent')]).toEqual(['r-1', null]);
});
