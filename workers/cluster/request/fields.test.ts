import { expect, test } from 'vitest';
import { PRINCIPAL_HEADER } from './caller.ts';
import { ACCEPT_ENCODING_HEADER, requestFields } from './fields.ts';

const identity = { user: 'u-aaaaaaaaaa', groups: ['g'], username: 'ada', token: 't-aaaaaaaaaa' };
const IDENTITY = [
  ['impersonate-user', 'u-aaaaaaaaaa'],
  ['impersonate-group', 'g'],
  ['impersonate-extra-outrider.dev%2fusername', 'ada'],
  ['impersonate-extra-outrider.dev%2ftoken', 't-aaaaaaaaaa'],
];

test('the identity comes last, after what the client sent', () => {
  expect(requestFields(new Headers({ accept: 'application/json' }), identity)).toEqual([
    ['accept', 'application/json'],
    ...IDENTITY,
  ]);
});

test('no identity of another kind stands beside it, whatever the Worker let through', () => {
  const headers = new Headers({
    authorization: 'Bearer x',
    cookie: 'a=b',
    'impersonate-user': 'root',
    'impersonate-uid': '0',
    'x-remote-user': 'root',
  });
  expect(requestFields(headers, identity)).toEqual(IDENTITY);
});

test('fields between the Worker and the object, and of the handshake, are not the cluster’s', () => {
  const headers = new Headers({
    [PRINCIPAL_HEADER]: 'x',
    'accept-encoding': 'br, gzip',
    upgrade: 'websocket',
    'sec-websocket-key': 'x',
    'sec-websocket-version': '13',
    'sec-websocket-extensions': 'permessage-deflate',
    'sec-websocket-protocol': 'v5.channel.k8s.io',
  });
  expect(requestFields(headers, identity)).toEqual([['sec-websocket-protocol', 'v5.channel.k8s.io'], ...IDENTITY]);
});

test('Accept-Encoding is what the client sent to the edge', () => {
  const headers = new Headers({ 'accept-encoding': 'br, gzip', [ACCEPT_ENCODING_HEADER]: 'identity' });
  expect(requestFields(headers, identity)[0]).toEqual(['accept-encoding', 'identity']);
});
