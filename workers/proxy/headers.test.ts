import { expect, test } from 'vitest';
import { scrubbed } from './headers.ts';

const FACTS = { websocket: false, acceptEncoding: null };
const names = (init: HeadersInit, facts = FACTS): string[] => scrubbed(new Headers(init), facts).map(([name]) => name);

test('what Kubernetes clients send passes', () => {
  const headers = {
    accept: 'application/json',
    'content-type': 'application/apply-patch+yaml',
    'kubectl-command': 'kubectl apply',
    'kubectl-session': 'x',
    'user-agent': 'kubectl',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
  };
  expect(names(headers)).toEqual(Object.keys(headers));
});

test('fields of one hop go, and so does what Connection names', () => {
  expect(
    names({ connection: 'X-A ,x-b', 'x-a': '1', 'x-b': '2', 'x-c': '3', te: 'trailers', 'keep-alive': '1' }),
  ).toEqual(['x-c']);
});

test.each([', ,', 'a b', '"x"', 'ü', ';'])('a Connection field of "%s" is passed over', (connection) => {
  expect(names({ connection, accept: 'x' })).toEqual(['accept']);
});

test('fields that name an identity or an address go', () => {
  const headers = {
    authorization: 'Bearer x',
    cookie: 'a=b',
    forwarded: 'for=1.2.3.4',
    origin: 'https://x.example',
    'x-forwarded-for': '1.2.3.4',
    'x-remote-user': 'root',
    'cf-connecting-ip': '1.2.3.4',
    'sec-fetch-mode': 'cors',
    'outrider-principal': 'x',
  };
  expect(names(headers)).toEqual([]);
});

test.each(['impersonate-user', 'Impersonate-Group', 'IMPERSONATE-EXTRA-x', 'impersonate-'])('%s is refused', (name) => {
  expect(() => scrubbed(new Headers({ [name]: 'x' }), FACTS)).toThrow('leave out --as');
  expect(() => scrubbed(new Headers({ [name]: 'x', connection: name }), FACTS)).toThrow('leave out --as');
});

test('a WebSocket keeps its Upgrade, and nothing else does', () => {
  expect(names({ upgrade: 'websocket' }, { websocket: true, acceptEncoding: null })).toEqual(['upgrade']);
  expect(names({ upgrade: 'SPDY/3.1' })).toEqual([]);
});

test('the client’s Accept-Encoding is told under a name of our own, which no client can set', () => {
  const facts = { websocket: false, acceptEncoding: 'gzip' };
  const headers = scrubbed(new Headers({ 'outrider-accept-encoding': 'x' }), facts);
  expect(headers).toEqual([['outrider-accept-encoding', 'gzip']]);
});

test('the bearer subprotocol goes, the others stay', () => {
  const bearer = 'base64url.bearer.authorization.k8s.io.YQ';
  const headers = scrubbed(new Headers({ 'sec-websocket-protocol': `a, ${bearer}, b` }), FACTS);
  expect(headers).toEqual([['sec-websocket-protocol', 'a, b']]);
});
