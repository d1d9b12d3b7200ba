import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { FakeApiServer } from '../../../support/fakes/api-server.ts';
import { ALICE, type PlaneTunnel } from '../../../support/fakes/plane.ts';
import { type FakeWorld, makePki, type TestPki } from '../../../support/fakes/world.ts';
import { EXEC, UpgradeWorld, V5 } from './upgraded.ts';

// Checked by taking out, one at a time: the judgement of the identity, of the chosen subprotocol and of bearer tokens among the offered; the refusal to follow
// redirects; the end of a connection whose upgrade failed; the verification of the CA. Each time the test that names it failed.

let pki: TestPki;
let upgrades: UpgradeWorld;
let world: FakeWorld;
let tunnel: PlaneTunnel;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  upgrades = await UpgradeWorld.make(pki);
  ({ world, tunnel } = upgrades);
});
afterEach(() => world.stop());

describe('the handshake', () => {
  it('carries the target as it is, the identity, the subprotocols, and no extension', async () => {
    const { exchange, request } = await upgrades.upgraded();
    expect(request.url).toBe(EXEC);
    expect(request.headers['impersonate-user']).toBe('u-alice');
    expect(request.headers['authorization']).toMatch(/^Bearer outrider-proxy-token-/);
    expect(request.headers['sec-websocket-protocol']).toBe('v5.channel.k8s.io');
    expect(request.headers['sec-websocket-extensions']).toBeUndefined();
    const groups = request.rawHeaders.filter((_, i, all) => all[i - 1]?.toLowerCase() === 'impersonate-group');
    expect(groups).toEqual(['outrider.dev:cluster-owner', 'system:authenticated']);
    const { fields } = await exchange.head();
    expect(fields).toContainEqual(['sec-websocket-protocol', 'v5.channel.k8s.io']);
    expect(fields.map(([name]) => name)).not.toContain('sec-websocket-accept');
  });

  it("takes Kubernetes' own names of subprotocols, which RFC 6455 does not allow", async () => {
    const protocol = 'SPDY/3.1+portforward.k8s.io';
    // ws is by the letter as a server too, so the answer is written by hand.
    world.api.onUpgrade = (request, socket) => {
      const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const lines = [
        'HTTP/1.1 101 Switching Protocols',
        'upgrade: websocket',
        'connection: Upgrade',
        `sec-websocket-accept: ${createHash('sha1').update(key).digest('base64')}`,
        `sec-websocket-protocol: ${request.headers['sec-websocket-protocol']}`,
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      // One unmasked binary message.
      socket.write(Buffer.from([0x82, 2, 0x68, 0x69]));
    };
    const exchange = tunnel.upgrade({ target: EXEC, fields: [...ALICE, ['sec-websocket-protocol', protocol]] });
    const head = await exchange.head();
    expect(head.status).toBe(101);
    expect(head.fields).toContainEqual(['sec-websocket-protocol', protocol]);
    await exchange.until(() => exchange.received === 2);
  });

  it('fails when the API server chooses what was not offered', async () => {
    upgrades.choose = () => 'v4.channel.k8s.io';
    const reset = await tunnel.upgrade({ target: EXEC, fields: V5 }).reset();
    expect(reset.code).toBe(ProtocolCode.UPSTREAM_LOST);
  });

  it.each([
    [
      'a bearer token among the subprotocols',
      [...V5, ['sec-websocket-protocol', 'base64url.bearer.authorization.k8s.io.eA']],
    ],
    ['a system: user', [['impersonate-user', 'system:admin']]],
    ['no user', []],
  ] as [string, Field[]][])('is refused for %s before anything is sent', async (_case, fields) => {
    const reset = await tunnel.upgrade({ target: EXEC, fields }).reset();
    expect(reset.code).toBe(ProtocolCode.IDENTITY_REFUSED);
    expect(world.api.seen).toEqual([]);
  });

  it('that is refused goes on as an ordinary answer, and its connection is closed', async () => {
    const closed = new Promise<void>((resolve) => {
      world.api.onUpgrade = (_request, socket: Duplex) => {
        socket.on('end', () => resolve()).resume();
        socket.write(
          'HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n{"kind": "Status"}',
        );
      };
    });
    const exchange = tunnel.upgrade({ target: EXEC, fields: V5 });
    expect((await exchange.head()).status).toBe(403);
    expect(await exchange.text()).toBe('{"kind": "Status"}');
    await closed;
  });

  it('is made again with another token when the API server does not accept the first', async () => {
    const { onUpgrade } = world.api;
    const tokens: (string | undefined)[] = [];
    world.api.onUpgrade = (request, socket, head) => {
      tokens.push(request.headers.authorization);
      if (tokens.length > 1) onUpgrade(request, socket, head);
      else socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
    };
    const { exchange, socket } = await upgrades.upgraded();
    expect(new Set(tokens).size).toBe(2);
    socket.send('hello');
    await exchange.until(() => exchange.received === 5);
  });

  it('is UPSTREAM_UNREACHABLE when the API server accepts no token: the person is signed in', async () => {
    world.api.onUpgrade = (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
    expect((await tunnel.upgrade({ target: EXEC, fields: V5 }).reset()).code).toBe(ProtocolCode.UPSTREAM_UNREACHABLE);
  });

  it('does not follow a redirect (CVE-2020-8559)', async () => {
    world.api.onUpgrade = (_request, socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nlocation: ${world.api.url}/elsewhere\r\ncontent-length: 0\r\n\r\n`);
    };
    const exchange = tunnel.upgrade({ target: EXEC, fields: V5 });
    expect((await exchange.head()).status).toBe(302);
    expect(await exchange.text()).toBe('');
    expect(world.api.seen.map(({ url }) => url)).toEqual([EXEC]);
  });

  it('fails as UPSTREAM_UNREACHABLE when there is no API server', async () => {
    await tunnel.http({ target: '/warm' }).text();
    await world.api.stop();
    expect((await tunnel.upgrade({ target: EXEC, fields: V5 }).reset()).code).toBe(ProtocolCode.UPSTREAM_UNREACHABLE);
  });

  it('ends before anything is sent when the API server is of another CA', async () => {
    await tunnel.http({ target: '/warm' }).text();
    const other = await makePki();
    const { port } = world.api;
    await world.api.stop();
    const stranger = await FakeApiServer.start(other.identity, port);
    expect((await tunnel.upgrade({ target: EXEC, fields: V5 }).reset()).code).toBe(ProtocolCode.UPSTREAM_UNREACHABLE);
    expect(stranger.seen).toEqual([]);
    await stranger.stop();
    await other.remove();
  });

  it('that breaks after the request was sent is UPSTREAM_LOST', async () => {
    world.api.onUpgrade = (_request, socket) => socket.destroy();
    expect((await tunnel.upgrade({ target: EXEC, fields: V5 }).reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });
});
