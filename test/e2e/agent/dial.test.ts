import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dial } from '#agent/tunnel/dial.ts';
import { type Egress, egressTo } from '#agent/tunnel/egress.ts';
import { postJson } from '#agent/tunnel/plane.ts';
import { makePki, type TestPki } from '../../support/fakes/world.ts';

/** Short, so that a test ends soon; far longer than anything on this machine takes. */
const TIMEOUT_MS = 1_000;

const NEVER = new AbortController().signal;

let pki: TestPki;
let server: Server | undefined;
/** Connections that the server has, until they close. */
const connections = new Set<Socket>();

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
afterEach(async () => {
  for (const connection of connections) connection.destroy();
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  server = undefined;
});

/** Listens, and does with a connection's first octets what the test says. */
async function serve(made: Server, onConnection: string, answer: (socket: Socket) => void): Promise<string> {
  server = made;
  made.on('connection', (socket: Socket) => {
    connections.add(socket.on('close', () => connections.delete(socket)).on('error', () => undefined));
  });
  made.on(onConnection, (socket: Socket) => socket.on('error', () => undefined).once('data', () => answer(socket)));
  made.listen(0, '127.0.0.1');
  await once(made, 'listening');
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

const plane = async (answer: (socket: Socket) => void): Promise<URL> =>
  new URL(`https://${await serve(createTlsServer(pki.identity), 'secureConnection', answer)}`);

const direct = (): Egress => ({ agent: undefined, ca: pki.caPem, abandon: () => undefined });

describe.each([
  ['an http proxy', 'http'],
  ['an https proxy', 'https'],
])('%s that accepts and says nothing', (_name, scheme) => {
  const silent = async (target: URL): Promise<Egress> => {
    const address = await serve(createTcpServer(), 'connection', () => undefined);
    return egressTo(target, { caFile: undefined, proxyUrl: `${scheme}://${address}`, exceptions: '' });
  };

  it('does not stop the agent: the dial ends, and its connection with it', async () => {
    const target = new URL('https://plane.example');
    const dialled = dial(target, 'credential', await silent(target), NEVER, TIMEOUT_MS);
    await expect(dialled).rejects.toThrow('in time');
    await expect.poll(() => connections.size).toBe(0);
  });

  it('does not stop a registration either', async () => {
    const target = new URL('https://plane.example/connect/register');
    await expect(postJson(target, {}, await silent(target), TIMEOUT_MS)).rejects.toThrow('in time');
    await expect.poll(() => connections.size).toBe(0);
  });
});

describe('a plane', () => {
  it('that accepts and says nothing ends the dial', async () => {
    const target = await plane(() => undefined);
    await expect(dial(target, 'credential', direct(), NEVER, TIMEOUT_MS)).rejects.toThrow('in time');
  });

  it.each([
    ['stalls', () => undefined],
    ['breaks', (socket: Socket) => void socket.destroy()],
  ])('whose refusal %s has refused, and the agent lives on', async (_how, then) => {
    const target = await plane((socket) => {
      socket.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\n{"title', () => then(socket));
    });
    const dialled = dial(target, 'credential', direct(), NEVER, TIMEOUT_MS);
    await expect(dialled).rejects.toMatchObject({ name: 'PlaneRefusal', status: 401 });
    await expect.poll(() => connections.size).toBe(0);
  });

  it('that refuses is heard with its reason', async () => {
    const body = JSON.stringify({ detail: 'a later registration has replaced this one' });
    const target = await plane((socket) => {
      socket.end(`HTTP/1.1 401 Unauthorized\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    await expect(dial(target, 'credential', direct(), NEVER, TIMEOUT_MS)).rejects.toThrow('a later registration');
  });

  it('whose answer to a registration stalls ends it', async () => {
    const target = await plane((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{'));
    await expect(postJson(target, {}, direct(), TIMEOUT_MS)).rejects.toThrow('in time');
    await expect.poll(() => connections.size).toBe(0);
  });

  it('whose packets get lost is given up soon: the next dial may find it', async () => {
    // A stopped process accepts nothing, and once its backlog is full the kernel drops what else asks for a connection.
    const program =
      "require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port); })";
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGSTOP');
    const target = new URL(`https://127.0.0.1:${Number(line.toString())}`);
    const fillers = Array.from({ length: 8 }, () =>
      connect(Number(target.port), '127.0.0.1').on('error', () => undefined),
    );
    try {
      await once(fillers[0]!, 'connect');
      await expect(dial(target, 'credential', direct(), NEVER)).rejects.toThrow('did not take the connection');
    } finally {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    }
  });

  it('is not waited for once the agent stops', async () => {
    const stopping = new AbortController();
    const target = await plane(() => stopping.abort());
    await expect(dial(target, 'credential', direct(), stopping.signal)).rejects.toThrow('given up');
    await expect.poll(() => connections.size).toBe(0);
  });
});
