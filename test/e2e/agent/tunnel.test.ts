import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { LAST_SEQUENCE } from '#schema/protocol/limits.ts';
import { startAgentInProcess, startAgentProcess } from '../../support/processes/agent.ts';
import { FakePlane } from '../../support/fakes/plane.ts';
import { FakeWorld, makePki, type TestPki } from '../../support/fakes/world.ts';

// Checked by taking out, one at a time: the verification of the plane's CA in registration and in the dial, the slow pace after a refusal, the resourceVersion of the
// Secret and the retry on its conflict, and the drain's announcement. Each time the test that names it failed.

let pki: TestPki;
let world: FakeWorld;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());

describe.each([
  ['in this process', startAgentInProcess],
  ['as a process of its own', startAgentProcess],
])('an agent %s', (_kind, start) => {
  beforeEach(async () => {
    world = await FakeWorld.make(pki, start);
  });
  afterEach(() => world.stop());

  it('registers, proves its key, serves, and counts', async () => {
    const { agent, tunnel } = await world.connect();
    expect(world.plane.registrations).toEqual([
      {
        token: 'a'.repeat(32),
        publicKey: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
        kubeSystemUid: '11111111-2222-4333-8444-555555555555',
        kubernetesVersion: 'v1.34.2',
      },
    ]);
    expect(tunnel.credential).toBe('a-credential-of-the-plane-1');
    expect(tunnel.proof).toMatchObject({ epoch: 1, role: 'cluster', capabilities: ['http', 'upgrade', 'call'] });
    expect(await tunnel.http({ target: '/' }).text()).toBe('ok');
    await agent.waitConnected();
    const metrics = await agent.metrics();
    expect(metrics).toContain('outrider_agent_tunnel_connected 1');
    expect(metrics).toContain('outrider_agent_requests_total{kind="http",outcome="2xx"} 1');
  });

  it('comes back within a second when its tunnel breaks', async () => {
    const { tunnel } = await world.connect();
    const began = performance.now();
    tunnel.socket.terminate();
    const next = await world.plane.tunnel(2);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(next.proof).toMatchObject({ instance: tunnel.proof?.instance, epoch: 2 });
    expect(world.plane.registrations).toHaveLength(1);
  });

  it('drains when it is told to stop: streams under way finish, new ones are refused', async () => {
    const { agent, tunnel } = await world.connect();
    let finish = (): void => undefined;
    world.api.onRequest = (_request, response) => {
      response.write('begun ');
      finish = () => response.end('and finished');
    };
    const exchange = tunnel.http({ target: '/' });
    await exchange.until(() => exchange.received > 0);
    const stopped = agent.stop();
    await expect.poll(() => tunnel.goaways.map(({ code }) => code)).toEqual([ProtocolCode.DRAIN]);
    expect(() => tunnel.http({ target: '/new' })).toThrow('');
    finish();
    expect(await exchange.text()).toBe('begun and finished');
    const [code] = await tunnel.closed;
    expect(code).toBe(1000);
    await stopped;
    expect(world.plane.dials).toBe(1);
  });

  it('resets an OPEN that crosses its GOAWAY, so that the plane may open it elsewhere', async () => {
    const { agent, tunnel } = await world.connect();
    await agent.waitConnected();
    const send = tunnel.hold();
    const crossing = tunnel.http({ target: '/crossing' });
    const stopped = agent.stop();
    await expect.poll(() => tunnel.goaways.map(({ code }) => code)).toEqual([ProtocolCode.DRAIN]);
    send();
    expect((await crossing.reset()).code).toBe(ProtocolCode.DRAIN);
    expect((await tunnel.closed)[0]).toBe(1000);
    await stopped;
    expect(world.api.seen).toEqual([]);
  });

  it('keeps its key and credential over a restart', async () => {
    const { agent } = await world.connect();
    await agent.stop();
    const { tunnel } = await world
      .connect()
      .then(async ({ agent: again }) => ({ again, tunnel: await world.plane.tunnel(2) }));
    expect(tunnel.credential).toBe('a-credential-of-the-plane-1');
    expect(world.plane.registrations).toHaveLength(1);
  });

  it('writes no secret to its log', async () => {
    const { agent, tunnel } = await world.connect();
    await tunnel.http({ target: '/' }).text();
    const text = JSON.stringify(agent.log);
    for (const secret of [
      'a'.repeat(32),
      'a-credential-of',
      'bootstrap-token',
      '-token-1',
      world.api.secret.data['privateKey'],
    ]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe('registration', () => {
  beforeEach(async () => {
    world = await FakeWorld.make(pki, startAgentInProcess);
  });
  afterEach(() => world.stop());

  it('of two replicas that start together agrees on one key', async () => {
    const agents = await Promise.all([world.start(), world.start()]);
    await Promise.all(agents.map((agent) => agent.waitConnected()));
    expect(new Set(world.plane.registrations.map(({ publicKey }) => publicKey)).size).toBe(1);
  });

  it('goes on when somebody else changes the Secret in between', async () => {
    let races = 3;
    world.api.beforeReplace = () => {
      if (races-- > 0)
        world.api.secret = { ...world.api.secret, resourceVersion: world.api.secret.resourceVersion + 1 };
    };
    const { agent } = await world.connect();
    expect(races).toBeLessThan(0);
    // Not by starting all over again.
    expect(agent.log.map(({ message }) => message)).not.toContain('no tunnel to the plane');
  });

  it('stores the key before it is registered', async () => {
    world.plane.refuseRegistration = { status: 409, detail: 'this Kubernetes cluster is imported already, as blue' };
    const agent = await world.start();
    await expect
      .poll(() => agent.log.some(({ answer }) => String(answer).includes('imported already, as blue')))
      .toBe(true);
    expect(world.api.secret.data['privateKey']).toMatch(/^[A-Za-z0-9+/=]{60,}$/);
    expect(world.plane.dials).toBe(0);
  });

  it('happens again when the credential is refused and a new token is there', async () => {
    const { agent } = await world.connect();
    await agent.stop();
    world.plane.refuseDial = { status: 401, detail: 'a later registration of this cluster has replaced this one' };
    world.plane.credential = 'a-credential-of-the-plane-2';
    const again = await world.start({ registrationToken: 'b'.repeat(32) });
    await expect.poll(() => world.plane.dials).toBe(2);
    await expect.poll(() => again.log.some(({ answer }) => String(answer).includes('a later registration'))).toBe(true);
    // Not sooner than the cap allows, and never in a hot loop.
    expect(world.plane.dials).toBe(2);
    const wait = again.log.find(({ message }) => message === 'the next attempt')?.['inMilliseconds'];
    expect(wait).toBeGreaterThanOrEqual(15_000);
  });

  it('says what to do when there is neither credential nor token', async () => {
    const agent = await world.start({ registrationToken: '' });
    await expect.poll(() => agent.log.some(({ error }) => String(error).includes('import manifest'))).toBe(true);
  });
});

describe('the way to the plane', () => {
  let proxy: Server;
  let tunnelled: string[];
  const ends = new Set<Duplex>();

  beforeEach(async () => {
    world = await FakeWorld.make(pki, startAgentInProcess);
    tunnelled = [];
    proxy = createServer().on('connect', (request, socket, head) => {
      tunnelled.push(request.url ?? '');
      const [host = '', port = ''] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        upstream.write(head);
        socket.pipe(upstream).pipe(socket);
      });
      for (const end of [socket, upstream]) ends.add(end.on('error', () => undefined));
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
  });
  afterEach(async () => {
    await world.stop();
    for (const end of ends) end.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });

  const proxyUrl = (): string => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  it('goes through HTTPS_PROXY, for registration and tunnel; the way to the API server does not', async () => {
    await world.start({ env: { HTTPS_PROXY: proxyUrl() } });
    const tunnel = await world.plane.tunnel();
    expect(await tunnel.http({ target: '/' }).text()).toBe('ok');
    const { host } = new URL(world.plane.url);
    expect(tunnelled).toEqual([host, host]);
  });

  it('goes past the proxy where NO_PROXY says so', async () => {
    await world.start({ env: { HTTPS_PROXY: proxyUrl(), NO_PROXY: '127.0.0.0/8' } });
    await world.plane.tunnel();
    expect(tunnelled).toEqual([]);
  });

  it('ends at a plane of another CA, without a word said (CVE-2024-22030)', async () => {
    const other = await makePki();
    const impostor = await FakePlane.start(other.identity);
    const agent = await world.start({ server: impostor.url });
    await expect.poll(() => agent.log.some(({ error }) => /certificate|CERT|issuer/i.test(String(error)))).toBe(true);
    expect(impostor.registrations).toEqual([]);
    expect(impostor.dials).toBe(0);
    await impostor.stop();
    await other.remove();
  });

  it('ends at a plane of another CA for an agent that has a credential, which it does not show', async () => {
    const { agent } = await world.connect();
    await agent.stop();
    const other = await makePki();
    const impostor = await FakePlane.start(other.identity);
    const again = await world.start({ server: impostor.url });
    await expect.poll(() => again.log.some(({ error }) => /certificate|CERT|issuer/i.test(String(error)))).toBe(true);
    expect(impostor.dials).toBe(0);
    await impostor.stop();
    await other.remove();
  });

  it('trusts the CA that is in the file at the time of the dial', async () => {
    const other = await makePki();
    const agent = await world.start({ serverCa: other.caPem });
    await expect.poll(() => agent.log.some(({ message }) => message === 'no tunnel to the plane')).toBe(true);
    await writeFile(join(world.agentWorld.dir, 'plane-ca.crt'), pki.caPem);
    await agent.waitConnected();
    await rm(other.dir, { recursive: true });
  });
});

describe('a plane that', () => {
  beforeEach(async () => {
    world = await FakeWorld.make(pki, startAgentInProcess);
  });
  afterEach(() => world.stop());

  it('drains gets a second tunnel while the streams of the first finish', async () => {
    const { tunnel } = await world.connect();
    let finish = (): void => undefined;
    world.api.onRequest = (request, response) => {
      if (request.url === '/new') {
        response.end('new');
        return;
      }
      response.write('begun ');
      finish = () => response.end('and finished');
    };
    const exchange = tunnel.http({ target: '/' });
    await exchange.until(() => exchange.received > 0);
    tunnel.session.goaway(ProtocolCode.DRAIN, 'a new version');
    const next = await world.plane.tunnel(2);
    expect(await next.http({ target: '/new' }).text()).toBe('new');
    finish();
    expect(await exchange.text()).toBe('begun and finished');
    expect((await tunnel.closed)[0]).toBe(1000);
  });

  it('has no stream sequences left serves the last stream, and is dialled anew', async () => {
    world.plane.lastSequence = LAST_SEQUENCE - 2;
    const { tunnel } = await world.connect();
    world.plane.lastSequence = 0;
    const last = tunnel.http({ target: '/last' });
    expect(last.stream.sequence).toBe(LAST_SEQUENCE);
    expect(await last.text()).toBe('ok');
    expect(await (await world.plane.tunnel(2)).http({ target: '/' }).text()).toBe('ok');
    expect((await tunnel.closed)[0]).toBe(1000);
  });

  it('ends the session and does not close the socket loses it, and is dialled anew', async () => {
    const { tunnel } = await world.connect();
    tunnel.session.goaway(ProtocolCode.SUPERSEDED, 'another has taken over');
    expect((await tunnel.closed)[0]).toBe(CLOSE_CODE_BASE + ProtocolCode.SUPERSEDED);
    expect(await (await world.plane.tunnel(2)).http({ target: '/' }).text()).toBe('ok');
  });

  it('speaks no common version is told so', async () => {
    world.plane.versions = [99];
    await world.start();
    await world.plane.until(() => world.plane.tunnels.length > 0);
    const [tunnel] = world.plane.tunnels;
    expect((await tunnel!.closed)[0]).toBe(CLOSE_CODE_BASE + ProtocolCode.VERSION);
    expect(tunnel!.goaways[0]?.code).toBe(ProtocolCode.VERSION);
  });

  it('refuses the proof is not dialled again at once', async () => {
    const { agent, tunnel } = await world.connect();
    world.plane.refuseRegistration = { status: 401, detail: 'the registration token has expired' };
    tunnel.session.goaway(ProtocolCode.UNAUTHENTICATED, 'revoked');
    setImmediate(() => tunnel.socket.close(CLOSE_CODE_BASE + ProtocolCode.UNAUTHENTICATED));
    await expect
      .poll(() => agent.log.find(({ message }) => message === 'the next attempt')?.['inMilliseconds'])
      .toBeGreaterThanOrEqual(15_000);
  });

  it('breaks the protocol loses its tunnel and nothing else', async () => {
    const { tunnel } = await world.connect();
    tunnel.socket.send(Buffer.from('no frame'));
    expect((await tunnel.closed)[0]).toBe(CLOSE_CODE_BASE + ProtocolCode.PROTOCOL_ERROR);
    expect(await (await world.plane.tunnel(2)).http({ target: '/' }).text()).toBe('ok');
  });

  it('opens a stream of a kind that is not served hears UNSUPPORTED', async () => {
    const { tunnel } = await world.connect();
    const exchange = tunnel.open(3, { target: '/' });
    expect((await exchange.reset()).code).toBe(ProtocolCode.UNSUPPORTED);
    expect(await tunnel.http({ target: '/' }).text()).toBe('ok');
  });
});
