import { beforeAll, expect, test } from 'vitest';
import type { Principal } from '#schema/access.ts';
import { testSecrets } from '#test/support/secrets.ts';
import { checkConfig, type Config } from '../env.ts';
import { authenticate, bearerToken, splitProtocols } from './bearer.ts';
import { signToken } from './token.ts';

const PREFIX = 'base64url.bearer.authorization.k8s.io.';
const encode = (token: string): string => PREFIX + Buffer.from(token).toString('base64url');
const upgrade = (protocols: string, more: Record<string, string> = {}): Headers =>
  new Headers({ upgrade: 'websocket', 'sec-websocket-protocol': protocols, ...more });

test.each([
  ['Bearer abc.def-_~+/=', 'abc.def-_~+/='],
  ['bearer abc', 'abc'],
  ['BEARER   abc ', 'abc'],
])('the header %o brings a token', (authorization, token) => {
  expect(bearerToken(new Headers({ authorization }))).toBe(token);
});

test.each(['Basic YWRtaW46YWRtaW4=', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer a, Bearer b', 'Bearer a,b', 'abc', ''])(
  'the header %o is refused',
  (authorization) => {
    expect(() => bearerToken(new Headers({ authorization }))).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    );
  },
);

test('no token is refused', () => {
  expect(() => bearerToken(new Headers())).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
});

test('a WebSocket brings its token as a subprotocol, wherever it stands', () => {
  expect(bearerToken(upgrade(`v5.channel.k8s.io, ${encode('abc')}`))).toBe('abc');
  expect(bearerToken(upgrade(`${encode('abc')},v5.channel.k8s.io`))).toBe('abc');
});

test('the token is never among the protocols that are passed on', () => {
  expect(splitProtocols(`a, ${encode('abc')} ,b`)).toEqual({ token: 'abc', protocols: ['a', 'b'] });
  expect(splitProtocols(null)).toEqual({ token: null, protocols: [] });
});

test.each([
  ['two tokens', `${encode('a')}, ${encode('a')}, v5.channel.k8s.io`],
  ['no other protocol', encode('a')],
  ['an empty token', `${PREFIX}, v5.channel.k8s.io`],
  ['padding', `${PREFIX}YWI=, v5.channel.k8s.io`],
  ['the other base64 alphabet', `${PREFIX}-_+/, v5.channel.k8s.io`],
  ['what is not UTF-8', `${PREFIX}_w, v5.channel.k8s.io`],
])('a bearer protocol with %s is refused', (_what, protocols) => {
  expect(() => bearerToken(upgrade(protocols))).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
});

test('header and subprotocol that differ are refused; that agree are good', () => {
  const both = (token: string) => upgrade(`v5.channel.k8s.io, ${encode(token)}`, { authorization: 'Bearer abc' });
  expect(bearerToken(both('abc'))).toBe('abc');
  expect(() => bearerToken(both('abd'))).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
});

test('the subprotocol counts in a WebSocket handshake only', () => {
  const headers = new Headers({ 'sec-websocket-protocol': `a, ${encode('abc')}` });
  expect(() => bearerToken(headers)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
});

const NOW = 1_800_000_000;
let config: Config;
beforeAll(async () => {
  const raw = { PUBLIC_URL: 'https://plane.example.com', PUBLIC_CA: '', AGENT_IMAGE: 'agent:1', ...testSecrets() };
  config = await checkConfig(raw);
});

const principal = (expiresAt: number): Principal => ({
  user: 'u-aaaaaaaaaa',
  token: 't-bbbbbbbbbb',
  issuedAt: NOW,
  expiresAt,
  cluster: null,
  readOnly: false,
  accessVersion: 0,
});

test('a verified token is remembered, and never past its expiry', async () => {
  const token = await signToken(config, principal(NOW + 5));
  const request = new Request('https://plane.example.com/v1/me', { headers: { authorization: `Bearer ${token}` } });
  const first = await authenticate(request, config, NOW);
  expect(await authenticate(request, config, NOW + 4)).toBe(first);
  await expect(authenticate(request, config, NOW + 5)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('what was verified with other keys is not believed', async () => {
  const token = await signToken(config, principal(NOW + 60));
  const request = new Request('https://plane.example.com/v1/me', { headers: { authorization: `Bearer ${token}` } });
  await authenticate(request, config, NOW);
  const other = await checkConfig({
    PUBLIC_URL: config.publicUrl,
    PUBLIC_CA: '',
    AGENT_IMAGE: 'agent:1',
    ...testSecrets(),
  });
  await expect(authenticate(request, other, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a token in the query is not looked at', async () => {
  const token = await signToken(config, principal(NOW + 60));
  const request = new Request(`https://plane.example.com/v1/me?access_token=${token}&token=${token}`);
  await expect(authenticate(request, config, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});
