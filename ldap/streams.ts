import { Duplex } from 'node:stream';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { answerDirectory } from './answer.ts';
import { DirectoryFailure } from './failure.ts';
import { CONNECT_MS, type Dial, type DirectorySocket } from './socket.ts';
import { noStartTls, StartTlsAnswer, startTlsRequest } from './starttls.ts';

/** A connection whose octets go in and out by web streams, as `connect` of the Workers runtime makes it. */
export interface Streams {
  /** Settles with the connection, under TLS where it begins with that. */
  readonly opened: Promise<unknown>;
  readonly closed: Promise<unknown>;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** The same connection under TLS, for the name that was dialled; this one is of no more use. */
  startTls(): Streams;
  close(): Promise<unknown>;
}

/** Dials. The certificate is judged by whoever supplies this: of an authority that the public trusts, and for the name. */
export type Connect = (
  address: { hostname: string; port: number },
  options: { secureTransport: 'on' | 'starttls'; allowHalfOpen: boolean },
) => Streams;

/**
 * Asks a directory over connections that are web streams. What failed is an answer too.
 * @param deadline ms, for all of it
 */
export async function answerOverStreams(
  question: DirectoryQuestion,
  connect: Connect,
  deadline: number,
): Promise<DirectoryAnswer> {
  const signal = AbortSignal.timeout(deadline);
  try {
    return await answerDirectory(question, { dial: dialOver(connect), signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    return { is: 'problem', problem: { code: 'unreachable', detail: 'the directory did not answer in time' } };
  }
}

const dialOver =
  (connect: Connect): Dial =>
  async (server, { port, security, ca }, signal) => {
    // Whoever configured it would believe that it is looked at.
    if (ca !== null) throw new DirectoryFailure('untrusted', `${server}: no private authority is trusted from here`);
    const within = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
    const open: Streams[] = [];
    const keep = (streams: Streams): Streams => {
      open.push(streams);
      // Nobody waits for these once something else has failed.
      streams.opened.catch(() => undefined);
      streams.closed.catch(() => undefined);
      return streams;
    };
    const isLdaps = security === 'ldaps';
    try {
      const address = { hostname: server, port };
      const options = { secureTransport: isLdaps ? 'on' : 'starttls', allowHalfOpen: false } as const;
      const streams = keep(connect(address, options));
      await before(within, streams.opened);
      if (isLdaps) return new StreamSocket(streams);
      await before(within, askForTls(streams, server));
      const secure = keep(streams.startTls());
      await before(within, secure.opened).catch((error: unknown) => {
        throw within.aborted ? error : noStartTls(server, `${NOT_TRUSTED}, or it does not speak TLS`);
      });
      return new StreamSocket(secure);
    } catch (error) {
      for (const streams of open) close(streams);
      if (error instanceof DirectoryFailure) throw error;
      throw new DirectoryFailure('unreachable', `${server}: ${whyNot(within.aborted, isLdaps)}`, true);
    }
  };

const NOT_TRUSTED = 'its certificate is not one that the public trusts for this name';

/** The runtime does not say which: so a configuration is no way to look for open ports either. */
function whyNot(late: boolean, isLdaps: boolean): string {
  if (late) return 'it does not answer';
  return isLdaps ? `it cannot be reached, or ${NOT_TRUSTED}` : 'it cannot be reached';
}

/** Settles as the promise does, or rejects with the abort. */
async function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error('given up'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const close = (streams: Streams): void => void streams.close().catch(() => undefined);

/** @throws DirectoryFailure untrusted */
async function askForTls({ writable, readable }: Streams, server: string): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(startTlsRequest());
  writer.releaseLock();
  const reader = readable.getReader();
  const answer = new StartTlsAnswer(server);
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) throw noStartTls(server, 'it closed the connection');
    const said = answer.add(value);
    if (said instanceof Error) throw said;
    if (said) break;
  }
  reader.releaseLock();
}

/** Web streams as the LDAP library wants a socket: a stream of Node's that is open already. */
class StreamSocket extends Duplex implements DirectorySocket {
  readonly connecting = false;
  readonly readyState = 'open';
  readonly #streams: Streams;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(streams: Streams) {
    super({ allowHalfOpen: false });
    this.#streams = streams;
    this.#reader = streams.readable.getReader();
    this.#writer = streams.writable.getWriter();
    this.#writer.closed.catch(() => undefined);
    // An error that comes when nobody listens any more is nobody's.
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.#reader.read().then(
      ({ value }) => this.push(value ?? null),
      (error: unknown) => this.destroy(lost(error)),
    );
  }

  override _write(octets: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writer.write(octets).then(
      () => done(),
      (error: unknown) => done(lost(error)),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    close(this.#streams);
    done(error);
  }
}

const lost = (cause: unknown): Error => new Error('the connection was lost', { cause });
