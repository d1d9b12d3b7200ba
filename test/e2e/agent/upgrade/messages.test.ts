import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeClose } from '#schema/protocol/codec/close.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { PLANE_LIMITS } from '#schema/protocol/limits.ts';
import type { PlaneTunnel } from '../../../support/fakes/plane.ts';
import { type FakeWorld, makePki, type TestPki } from '../../../support/fakes/world.ts';
import { EXEC, UpgradeWorld, V5 } from './upgraded.ts';

const END = Flag.MESSAGE_END;

// Checked by taking out, one at a time: the pause of the API server; credit on consumption. Each time the test that names it failed.

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

describe('messages', () => {
  it('keep their boundaries and kinds, both ways', async () => {
    const { exchange, socket } = await upgrades.upgraded();
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
    const { exchange, socket } = await upgrades.upgraded();
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
    const { exchange, socket } = await upgrades.upgraded();
    socket.send(Buffer.alloc(16 * 1024 * 1024 + 1));
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });
});

describe('the end', () => {
  it('from the API server carries code and reason', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    socket.close(1000, 'done');
    expect(await exchange.close()).toEqual({ code: 1000, reason: 'done' });
  });

  it('without a code stays without', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    socket.close();
    expect(await exchange.close()).toEqual({ code: 1005, reason: '' });
  });

  it('from the plane carries code and reason', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    const closed = once(socket, 'close');
    exchange.stream.end(encodeClose({ code: 4001, reason: 'bye' }));
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4001, 'bye']);
    await exchange.close();
    expect(exchange.resets).toEqual([]);
  });

  it('of a client that vanished is abrupt for the API server too', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    const closed = once(socket, 'close');
    exchange.stream.end(encodeClose({ code: 1006, reason: '' }));
    expect((await closed)[0]).toBe(1006);
  });

  it('of a connection without a close frame is UPSTREAM_LOST', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    socket.terminate();
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });

  it('by RESET reaches the API server at once', async () => {
    const { exchange, socket } = await upgrades.upgraded();
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
    upgrades.sockets.options.autoPong = false;
    const { exchange } = await upgrades.upgraded();
    vi.advanceTimersByTime(3 * PING_MS);
    expect(exchange.resets).toEqual([]);
    vi.advanceTimersByTime(PING_MS);
    expect((await exchange.reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
  });

  it('is not one that answers, nor one of which nothing is read because the plane takes nothing', async () => {
    const { exchange, socket } = await upgrades.upgraded(V5, false);
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
    const { exchange, socket } = await upgrades.upgraded(V5, false);
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
    const { exchange, socket } = await upgrades.upgraded();
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
    const { exchange, socket } = await upgrades.upgraded();
    socket.pause();
    for (let i = 0; i < 140; i++) {
      exchange.stream.write(Buffer.alloc(100_000));
      exchange.stream.write(Buffer.alloc(100_000), END);
    }
    for (let i = 0; i < 200; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.stream.queued).toBeGreaterThan(15_000_000);
  });

  it('stops the plane when the API server does not read', async () => {
    const { exchange, socket } = await upgrades.upgraded();
    socket.pause();
    for (let i = 0; i < 280; i++) exchange.stream.write(Buffer.alloc(100_000), END);
    for (let i = 0; i < 200; i++) expect(await tunnel.http({ target: `/${i}` }).text()).toBe('ok');
    expect(exchange.stream.queued).toBeGreaterThan(15_000_000);
  });
});
