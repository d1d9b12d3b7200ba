import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { encodeClose } from '#schema/protocol/codec/close.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { startAgentInProcess } from '../../support/processes/agent.ts';
import { FakeApiServer } from '../../support/fakes/api-server.ts';
import { ALICE, type Exchange, type PlaneTunnel } from '../../support/fakes/plane.ts';
import { FakeWorld, makePki, type TestPki } from '../../support/fakes/world.ts';

const EXEC = '/api/v1/namespaces/a%2Fb/pods/p/exec?command=sh&command=-c&command=echo%20%27x%27';
const V5: Field[] = [...ALICE, ['sec-websocket-protocol', 'v5.channel.k8s.io']];
const END = Flag.MESSAGE_END;

// Checked by taking out, one at a time: the judgement of the identity, of the chosen subprotocol and of bearer tokens among the offered; the refusal to follow
// redirects; the end of a connection whose upgrade failed; the verification of the CA; the pause of the API server; credit on consumption. Each time the test that names it failed.

let pki: TestPki;
let world: FakeWorld;
let tunnel: PlaneTunnel;
let sockets: WebSocketServer;
/** WebSockets that the API server accepted. */
let accepted: Promise<{ socket: WebSocket; request: IncomingMessage }>;
/** What the API server chooses among the offered; null: nothing. */
let choose: (offered: Set<string>) => string | false;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  world = await FakeWorld.make(pki, startAgentInProcess);
  choose = (offered) => [...offered][0] ?? false;
  sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    handleProtocols: (offered) => choose(offered),
  });
  accepted = new Promise((resolve) => {
    world.api.onUpgrade = (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (webSocket) => resolve({ socket: webSocket, request }));
    };
  });
  ({ tunnel } = await world.connect());
});
afterEach(() => world.stop());

/** An exec that was upgraded, from both ends. */
async function upgraded(
  fields: Field[] = V5,
  consume = true,
): Promise<{ exchange: Exchange; socket: WebSocket; request: IncomingMessage }> {
  const exchange = tunnel.upgrade({ target: EXEC, fields, consume });
  const { socket, request } = await accepted;
  expect((await exchange.head()).status).toBe(101);
  return { exchange, socket, request };
}

describe('the handshake', () => {
  it('carries the target as it is, the identity, the subprotocols, and no extension', async () => {
    const { exchange, request } = await upgraded();
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
    choose = () => 'v4.channel.k8s.io';
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
    const { exchange, socket } = await upgraded();
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

describe('messages', () => {
  it('keep their boundaries and kinds, both ways', async () => {
    const { exchange, socket } = await upgraded();
    socket.send(Buffer.from('binary'));
    socket.send('text');
    socket.send(Buffer.alloc(0));
    await exchange.until(() => exchange.chunks.length === 3);
    expect(exchange.chunks.map(({ data, flags }) => [data.toString(), flags])).toEqual([
      ['binary', END],
      ['text', END | Flag.TEXT],
      ['', END],
    ]);
    const came: [string, boolean][] = [];
    socket.on('message', (data: Buffer, binary) => came.push([data.toString(), binary]));
    exchange.stream.write(Buffer.from('one'), END);
    exchange.stream.write(Buffer.from('two'), END | Flag.TEXT);
    exchange.stream.write(Buffer.from('three '));
    exchange.stream.write(Buffer.from('in '));
    exchange.stream.write(Buffer.from('parts'), END);
    await expect
      .poll(() => came)
      .toEqual([
        ['one', true],
        ['two', false],
        ['three in parts', true],
      ]);
  });

  it('of a megabyte arrive whole, in both directions', async () => {
    const { exchange, socket } = await upgraded();
    const big = randomBytes(1_000_000);
    socket.on('message', (data) => socket.send(data));
    exchange.stream.write(big, END);
    await exchange.until(() => exchange.received === big.length);
    expect(Buffer.concat(exchange.chunks.map(({ data }) => data))).toEqual(big);
    expect(exchange.chunks.filter(({ flags }) => (flags & END) !== 0)).toHaveLength(1);
  });
});

describe('a message', () => {
  // Tried with no bound on what ws takes: it goes through.
  it('of the API server’s larger than 16 MiB ends the stream: it would be held whole', async () => {
    const { exchange, socket } = await upgraded();
    socket.send(Buffer.alloc(16 * 1024 * 1024 + 1));
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });
});

describe('the end', () => {
  it('from the API server carries code and reason', async () => {
    const { exchange, socket } = await upgraded();
    socket.close(1000, 'done');
    expect(await exchange.close()).toEqual({ code: 1000, reason: 'done' });
  });

  it('without a code stays without', async () => {
    const { exchange, socket } = await upgraded();
    socket.close();
    expect(await exchange.close()).toEqual({ code: 1005, reason: '' });
  });

  it('from the plane carries code and reason', async () => {
    const { exchange, socket } = await upgraded();
    const closed = once(socket, 'close');
    exchange.stream.end(encodeClose({ code: 4001, reason: 'bye' }));
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4001, 'bye']);
    await exchange.close();
    expect(exchange.resets).toEqual([]);
  });

  it('of a client that vanished is abrupt for the API server too', async () => {
    const { exchange, socket } = await upgraded();
    const closed = once(socket, 'close');
    exchange.stream.end(encodeClose({ code: 1006, reason: '' }));
    expect((await closed)[0]).toBe(1006);
  });

  it('of a connection without a close frame is UPSTREAM_LOST', async () => {
    const { exchange, socket } = await upgraded();
    socket.terminate();
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });

  it('by RESET reaches the API server at once', async () => {
    const { exchange, socket } = await upgraded();
    const closed = once(socket, 'close');
    exchange.stream.reset(ProtocolCode.CANCELLED, 'gone');
    await closed;
  });

  it('comes before the upgrade when it is cancelled', async () => {
    const asked = new Promise<Duplex>((resolve) => {
      world.api.onUpgrade = (_request, socket) => resolve(socket);
    });
    const exchange = tunnel.upgrade({ target: EXEC, fields: V5 });
    const socket = await asked;
    await exchange.accept();
    const closed = once(socket, 'close');
    exchange.stream.reset(ProtocolCode.CANCELLED, 'gone');
    await closed;
  });
});

describe('an API server that is dead', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
  afterEach(() => void vi.useRealTimers());

  const PING_MS = 25_000;

  it('ends the stream after three pings on which nothing was heard', async () => {
    sockets.options.autoPong = false;
    const { exchange } = await upgraded();
    vi.advanceTimersByTime(3 * PING_MS);
    expect(exchange.resets).toEqual([]);
    vi.advanceTimersByTime(PING_MS);
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });

  it('is not one that answers, nor one of which nothing is read because the plane takes nothing', async () => {
    const { exchange, socket } = await upgraded(V5, false);
    for (let i = 0; i < 6; i++) {
      const pinged = once(socket, 'ping');
      vi.advanceTimersByTime(PING_MS);
      await pinged;
      socket.send('.');
      await exchange.until(() => exchange.received === i + 1);
    }
    for (let i = 0; i < 40; i++) socket.send(Buffer.alloc(65_536));
    await exchange.until(() => exchange.received === PLANE_LIMITS.streamWindow);
    for (let i = 0; i < 50; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    vi.advanceTimersByTime(6 * PING_MS);
    expect(await tunnel.http({ target: '/' }).text()).toBe('ok');
    expect(exchange.resets).toEqual([]);
  });
});

describe('credit', () => {
  it('stops the API server when the plane does not consume', async () => {
    const { exchange, socket } = await upgraded(V5, false);
    let sent = 0;
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      sent += chunk.length;
      if (sent < 200_000_000) socket.send(chunk, () => more());
    };
    more();
    await exchange.until(() => exchange.received === PLANE_LIMITS.streamWindow);
    for (let i = 0; i < 50; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.received).toBe(PLANE_LIMITS.streamWindow);
    expect(sent).toBeLessThan(20_000_000);
  });

  it('stops the plane when the API server does not read messages larger than the window, and breaks nothing', async () => {
    const { exchange, socket } = await upgraded();
    socket.pause();
    const count = 8;
    for (let i = 0; i < count; i++) exchange.stream.write(Buffer.alloc(3_900_000), END);
    for (let i = 0; i < 200; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.stream.queued).toBeGreaterThan(15_000_000);
    let came = 0;
    socket.on('message', () => came++).resume();
    await expect.poll(() => came, { timeout: 20_000 }).toBe(count);
    expect(exchange.resets).toEqual([]);
  });

  it('stops the plane when the API server does not read messages in parts either', async () => {
    const { exchange, socket } = await upgraded();
    socket.pause();
    for (let i = 0; i < 140; i++) {
      exchange.stream.write(Buffer.alloc(100_000));
      exchange.stream.write(Buffer.alloc(100_000), END);
    }
    for (let i = 0; i < 200; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.stream.queued).toBeGreaterThan(15_000_000);
  });

  it('stops the plane when the API server does not read', async () => {
    const { exchange, socket } = await upgraded();
    socket.pause();
    for (let i = 0; i < 280; i++) exchange.stream.write(Buffer.alloc(100_000), END);
    for (let i = 0; i < 200; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.stream.queued).toBeGreaterThan(15_000_000);
  });
});
