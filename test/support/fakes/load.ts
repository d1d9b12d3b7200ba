import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { WebSocketServer } from 'ws';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, StreamKind } from '#schema/protocol/codec/frame.ts';
import { encodeClose } from '#schema/protocol/codec/close.ts';
import { encodeRequestHead } from '#schema/protocol/codec/head.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import type { FakeApiServer } from './api-server.ts';
import { ALICE, type PlaneTunnel } from './plane.ts';

/** What the API server writes at once: as etcd pages and `kubectl logs` come. */
const CHUNK = Buffer.alloc(32 * 1024, 'x');

/** A download that nobody reads is longer than all that lies between its ends: windows, queues, and the sockets' buffers (some MiB on loopback). */
const DOWNLOAD_BYTES = 8 * 1024 * 1024;
const UPLOAD_BYTES = 2 * 1024 * 1024;

/** A slow reader: so much, so often. 100 of them are 32 MB/s, which one core carries beside the test. */
const SIP_BYTES = 32 * 1024;
const SIP_EVERY_MS = 100;

/** Messages of one upgrade, each answered before the next is sent. */
const MESSAGES = 50;
const MESSAGE = Buffer.alloc(8 * 1024, 'm');

/** Pause of a client between two small requests, ms. */
const GET_EVERY_MS = 20;

/** Clients of {@link burst}. */
const CONCURRENT = 64;

/** Lets an API server answer what {@link mixedLoad} and {@link stalledStreams} ask for. */
export function serveLoad(api: FakeApiServer): void {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  api.onRequest = (request, response) => {
    // Nobody looks at them, and they would be millions.
    api.seen.length = 0;
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://api');
    if (pathname === '/load/down') {
      const bytes = Number(searchParams.get('bytes'));
      response.setHeader('content-length', bytes);
      // A reader that goes away is not of interest.
      pipeline(Readable.from(chunks(bytes)), response).catch(() => undefined);
    } else if (pathname === '/load/up') {
      let size = 0;
      request.on('data', (chunk: Buffer) => (size += chunk.byteLength));
      request.on('end', () => response.end(String(size)));
    } else if (pathname === '/load/get') response.end(CHUNK.subarray(0, 1024));
    // Any other is never answered, and its body never read.
  };
  api.onUpgrade = (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data, binary) => webSocket.send(data, { binary }));
      webSocket.on('error', () => undefined);
    });
}

function* chunks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.byteLength) yield CHUNK.subarray(0, left);
}

/** The plane's end of a stream that keeps nothing of what it gets. */
class Client implements StreamHandler {
  received = 0;
  readonly done: Promise<void>;
  onData: (data: Uint8Array, flags: number) => void;
  onWritable: () => void = () => undefined;
  readonly stream: Stream;
  #settle: { resolve: () => void; reject: (error: Error) => void };

  constructor(tunnel: PlaneTunnel, kind: StreamKind, method: string, target: string, fin: boolean) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#settle = { resolve, reject };
    this.onData = (data) => this.take(data.byteLength);
    const head = encodeRequestHead({ method, target, fields: ALICE });
    this.stream = tunnel.session.open(kind, head, fin, this);
  }

  take(bytes: number): void {
    this.received += bytes;
    this.stream.consumed(bytes);
  }
  onEnd(): void {
    this.#settle.resolve();
  }
  onReset(code: number, reason: string): void {
    this.#settle.reject(new Error(`reset ${code}: ${reason}`));
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A GET of a body that is read a sip at a time. */
async function download(tunnel: PlaneTunnel): Promise<void> {
  const bytes = SIP_BYTES * 20;
  const client = new Client(tunnel, StreamKind.HTTP, 'GET', `/load/down?bytes=${bytes}`, true);
  let held = 0;
  client.onData = ({ byteLength }) => {
    held += byteLength;
  };
  const sip = setInterval(() => {
    const taken = Math.min(held, SIP_BYTES);
    held -= taken;
    client.take(taken);
  }, SIP_EVERY_MS);
  try {
    await client.done;
    expectBytes(client.received + held, bytes);
  } finally {
    clearInterval(sip);
    client.take(held);
  }
}

async function upload(tunnel: PlaneTunnel): Promise<void> {
  const client = new Client(tunnel, StreamKind.HTTP, 'POST', '/load/up', false);
  let answer = '';
  client.onData = (data) => {
    answer += Buffer.from(data).toString();
    client.take(data.byteLength);
  };
  let left = UPLOAD_BYTES;
  const write = (): void => {
    while (left > 0) {
      left -= CHUNK.byteLength;
      if (!client.stream.write(CHUNK)) return;
    }
    client.stream.end();
    client.onWritable = () => undefined;
  };
  client.onWritable = write;
  write();
  await client.done;
  expectBytes(Number(answer), UPLOAD_BYTES);
}

async function upgrade(tunnel: PlaneTunnel): Promise<void> {
  const client = new Client(tunnel, StreamKind.UPGRADE, 'GET', '/load/echo', false);
  const opened = Promise.withResolvers<void>();
  const next = { heard: (): void => undefined };
  Object.assign(client, { onHead: () => opened.resolve() });
  client.onData = (data, flags) => {
    client.take(data.byteLength);
    if ((flags & Flag.MESSAGE_END) !== 0) next.heard();
  };
  await Promise.race([opened.promise, client.done]);
  for (let sent = 0; sent < MESSAGES; sent++) {
    const echoed = new Promise<void>((resolve) => (next.heard = resolve));
    client.stream.write(MESSAGE, Flag.MESSAGE_END);
    await Promise.race([echoed, client.done]);
  }
  client.stream.end(encodeClose({ code: 1000, reason: '' }));
  await client.done;
  expectBytes(client.received, MESSAGES * MESSAGE.byteLength);
}

async function get(tunnel: PlaneTunnel): Promise<void> {
  const client = new Client(tunnel, StreamKind.HTTP, 'GET', '/load/get', true);
  await client.done;
  expectBytes(client.received, 1024);
}

async function getNowAndThen(tunnel: PlaneTunnel): Promise<void> {
  await get(tunnel);
  await pause(GET_EVERY_MS);
}

/** `count` small GETs, as fast as {@link CONCURRENT} clients can. */
export async function burst(tunnel: PlaneTunnel, count: number): Promise<void> {
  let left = count;
  const client = async (): Promise<void> => {
    while (left-- > 0) await get(tunnel);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, client));
}

function expectBytes(got: number, wanted: number): void {
  if (got !== wanted) throw new Error(`${got} octets came instead of ${wanted}`);
}

/** How many clients do what, all together {@link STREAMS}. */
const MIX: readonly [number, (tunnel: PlaneTunnel) => Promise<void>][] = [
  [50, download],
  [10, upload],
  [20, upgrade],
  [20, getNowAndThen],
];

const STREAMS = 100;

/** 100 clients, each beginning anew when it is done, until `signal`; resolves with how many exchanges there were. */
export async function mixedLoad(tunnel: PlaneTunnel, signal: AbortSignal): Promise<number> {
  let done = 0;
  const client = async (exchange: (tunnel: PlaneTunnel) => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      await exchange(tunnel);
      done++;
    }
  };
  await Promise.all(MIX.flatMap(([count, exchange]) => Array.from({ length: count }, () => client(exchange))));
  return done;
}

export interface Stalled {
  /** How many of them are downloads. */
  downloads: number;
  /** Octets that came, of all downloads. */
  received(): number;
  release(): void;
}

/** 100 streams on which nobody reads: half downloads, half uploads, each with as much under way as windows and queues allow. */
export function stalledStreams(tunnel: PlaneTunnel): Stalled {
  const clients = Array.from({ length: STREAMS }, (_, nth) => {
    const down = nth % 2 === 0;
    const target = down ? `/load/down?bytes=${DOWNLOAD_BYTES}` : '/load/nobody';
    const client = new Client(tunnel, StreamKind.HTTP, down ? 'GET' : 'POST', target, down);
    client.done.catch(() => undefined);
    client.onData = ({ byteLength }) => {
      client.received += byteLength;
    };
    const write = (): void => {
      while (client.stream.write(CHUNK));
    };
    if (!down) {
      client.onWritable = write;
      write();
    }
    return client;
  });
  return {
    downloads: STREAMS / 2,
    received: () => clients.reduce((sum, { received }) => sum + received, 0),
    release: () => {
      for (const { stream } of clients) stream.reset(ProtocolCode.CANCELLED, 'enough');
    },
  };
}
