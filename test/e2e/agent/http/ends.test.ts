import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { startAgentInProcess } from '../../../support/processes/agent.ts';
import { FakeApiServer } from '../../../support/fakes/api-server.ts';
import { FakeWorld, makePki, type TestPki } from '../../../support/fakes/world.ts';

// Checked by taking out, one at a time: the verification of the CA; the bounds on what is sent a second time and how often; the pause of an answer; credit on
// consumption instead of arrival; the abort of what was cancelled. Each time the test that names it failed.

let pki: TestPki;
let world: FakeWorld;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  world = await FakeWorld.make(pki, startAgentInProcess);
});
afterEach(() => world.stop());

describe('credit', () => {
  it('holds an answer back that the plane does not consume, and lets others pass', async () => {
    let written = 0;
    world.api.onRequest = (request, response) => {
      if (request.url !== '/big') {
        response.end('ok');
        return;
      }
      const more = (): void => {
        do written += 65_536;
        while (written < 200_000_000 && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    };
    const { tunnel } = await world.connect();
    const big = tunnel.http({ target: '/big', consume: false });
    await big.until(() => big.received === PLANE_LIMITS.streamWindow);
    // Other streams go on; meanwhile the first one gets no more than its window. All of it would be here within the second.
    const end = performance.now() + 1000;
    while (performance.now() < end) expect(await tunnel.http({ target: '/small' }).text()).toBe('ok');
    expect(big.received).toBe(PLANE_LIMITS.streamWindow);
    // Window, the agent's queue, and what sockets of the system hold.
    expect(written).toBeLessThan(20_000_000);
    big.stream.reset(ProtocolCode.CANCELLED, 'done');
  });

  it('is not given for a body that the API server does not read', async () => {
    world.api.onRequest = () => undefined;
    const { tunnel } = await world.connect();
    const exchange = tunnel.http({ method: 'PUT', target: '/', body: Buffer.alloc(100_000_000) });
    await exchange.accept();
    expect(exchange.stream.queued).toBeGreaterThan(80_000_000);
    exchange.stream.reset(ProtocolCode.CANCELLED, 'done');
  });
});

describe('the end', () => {
  it('of a cancelled request reaches the API server at once', async () => {
    const { tunnel } = await world.connect();
    const closed = new Promise<number>((resolve) => {
      world.api.onRequest = (_request, response) => {
        response.writeHead(200);
        response.write('first');
        response.on('close', () => resolve(performance.now()));
      };
    });
    const exchange = tunnel.http({ target: '/api/v1/pods?watch=1' });
    await exchange.until(() => exchange.received > 0);
    const began = performance.now();
    exchange.stream.reset(ProtocolCode.CANCELLED, 'the client left');
    expect((await closed) - began).toBeLessThan(1000);
  });

  it('of a connection within an answer is UPSTREAM_LOST', async () => {
    world.api.onRequest = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    };
    const { tunnel } = await world.connect();
    const reset = await tunnel.http({ target: '/' }).reset();
    expect(reset.code).toBe(ProtocolCode.UPSTREAM_LOST);
    expect(world.api.seen).toHaveLength(1);
  });

  it('of a connection after a POST is UPSTREAM_LOST, and the POST is not sent again', async () => {
    const { tunnel } = await world.connect();
    expect(await tunnel.http({ target: '/warm' }).text()).toBe('ok');
    world.api.onRequest = (request) => request.socket.destroy();
    const reset = await tunnel.http({ method: 'POST', target: '/create', body: '{}' }).reset();
    expect(reset.code).toBe(ProtocolCode.UPSTREAM_LOST);
    expect(world.api.seen.filter(({ url }) => url === '/create')).toHaveLength(1);
  });

  it('of a kept connection is survived by a GET, which is sent a second time and no third', async () => {
    const { tunnel } = await world.connect();
    let drops = 1;
    world.api.onRequest = (request, response) => {
      if (drops-- > 0) request.socket.destroy();
      else response.end('second');
    };
    expect(await tunnel.http({ target: '/once' }).text()).toBe('second');
    drops = 2;
    expect((await tunnel.http({ target: '/twice' }).reset()).code).toBe(ProtocolCode.UPSTREAM_LOST);
    expect(world.api.seen.map(({ url }) => url)).toEqual(['/once', '/once', '/twice', '/twice']);
  });

  it('of a kept connection is not survived by a GET with a body, which would be another request without it', async () => {
    const { tunnel } = await world.connect();
    world.api.onRequest = (request) => request.socket.destroy();
    const reset = await tunnel.http({ target: '/body', body: '{}' }).reset();
    expect(reset.code).toBe(ProtocolCode.UPSTREAM_LOST);
    expect(world.api.seen.map(({ url }) => url)).toEqual(['/body']);
  });

  it('of the API server is UPSTREAM_UNREACHABLE', async () => {
    const { tunnel } = await world.connect();
    expect(await tunnel.http({ target: '/' }).text()).toBe('ok');
    await world.api.stop();
    const reset = await tunnel.http({ method: 'POST', target: '/', body: '{}' }).reset();
    expect(reset.code).toBe(ProtocolCode.UPSTREAM_UNREACHABLE);
  });

  it('comes before anything is sent when the API server is of another CA', async () => {
    const { tunnel } = await world.connect();
    const other = await makePki();
    const { port } = world.api;
    // The tunnel is up with the right CA; now the address belongs to somebody else.
    await world.api.stop();
    const stranger = await FakeApiServer.start(other.identity, port);
    try {
      const reset = await tunnel.http({ method: 'POST', target: '/', body: '{}' }).reset();
      expect(reset.code).toBe(ProtocolCode.UPSTREAM_UNREACHABLE);
      expect(stranger.seen).toEqual([]);
      expect(stranger.tokensIssued).toBe(0);
    } finally {
      await stranger.stop();
      await other.remove();
    }
  });
});
