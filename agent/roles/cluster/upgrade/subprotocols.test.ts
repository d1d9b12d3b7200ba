import { expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { offeredProtocols } from './subprotocols.ts';

const offered = (...values: string[]): string[] =>
  offeredProtocols(values.map((value) => ['sec-websocket-protocol', value] as const));

it('lists what is offered in one field or several, each once', () => {
  expect(offered('v5.channel.k8s.io, v4.channel.k8s.io', 'v5.channel.k8s.io')).toEqual([
    'v5.channel.k8s.io',
    'v4.channel.k8s.io',
  ]);
  expect(offered()).toEqual([]);
});

it("takes Kubernetes' SPDY/3.1+portforward.k8s.io", () => {
  expect(offered('SPDY/3.1+portforward.k8s.io')).toEqual(['SPDY/3.1+portforward.k8s.io']);
});

it.each(['base64url.bearer.authorization.k8s.io.eA', 'BASE64URL.bearer.authorization.k8s.io.eA'])(
  'refuses a bearer token: %s',
  (protocol) => {
    expect(() => offered(`v5.channel.k8s.io, ${protocol}`)).toThrow(
      expect.objectContaining({ code: ProtocolCode.IDENTITY_REFUSED }),
    );
  },
);

it.each(['', 'a,,b', 'a b', 'a"b', 'x'.repeat(129), Array.from({ length: 17 }, (_, i) => `p${i}`).join(',')])(
  'refuses what is no subprotocol: %s',
  (value) => {
    expect(() => offered(value)).toThrow(expect.objectContaining({ code: ProtocolCode.PROTOCOL_ERROR }));
  },
);
