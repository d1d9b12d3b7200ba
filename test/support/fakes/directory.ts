import { once } from 'node:events';
import { createServer as createTcp, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { BerReader, BerWriter } from 'ldapts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { Tls } from '../sign-in/tls.ts';

/** RFC 4511: tags of operations. */
export const Op = {
  BIND: 0x60,
  BIND_RESPONSE: 0x61,
  SEARCH: 0x63,
  SEARCH_ENTRY: 0x64,
  SEARCH_DONE: 0x65,
  SEARCH_REFERENCE: 0x73,
  EXTENDED: 0x77,
  EXTENDED_RESPONSE: 0x78,
} as const;

/** A request of the client's; `body` is what is in its operation. */
export interface Request {
  readonly id: number;
  readonly op: number;
  readonly body: BerReader;
}

/** One LDAP message: id, operation, what `write` puts into it. */
export function message(id: number, op: number, write: (writer: BerWriter) => void): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(id);
  writer.startSequence(op);
  write(writer);
  writer.endSequence();
  writer.endSequence();
  return writer.buffer;
}

/** An LDAPResult (RFC 4511 §4.1.9). */
export const result = (id: number, op: number, code = 0): Buffer =>
  message(id, op, (writer) => {
    writer.writeEnumeration(code);
    writer.writeString('');
    writer.writeString('');
  });

/** An entry with these attributes. */
export const entry = (id: number, dn: string, attributes: Record<string, (string | Buffer)[]>): Buffer =>
  message(id, Op.SEARCH_ENTRY, (writer) => {
    writer.writeString(dn);
    writer.startSequence();
    for (const [name, values] of Object.entries(attributes)) {
      writer.startSequence();
      writer.writeString(name);
      writer.startSequence(0x31);
      for (const value of values) writer.writeBuffer(Buffer.from(value), 0x04);
      writer.endSequence();
      writer.endSequence();
    }
    writer.endSequence();
  });

/** A server that says what the test wants it to, which no directory would. */
export class FakeDirectory {
  readonly requests: number[] = [];
  connections = 0;
  /** What came before TLS, where there is none. */
  received = Buffer.alloc(0);
  onRequest: (request: Request, socket: Socket) => void = ({ id, op }, socket) =>
    void socket.write(result(id, op === Op.BIND ? Op.BIND_RESPONSE : Op.SEARCH_DONE));
  readonly #server: Server;
  readonly #tls: Tls;
  readonly #sockets = new Set<Socket>();
  readonly #waiters = new Set<() => void>();

  private constructor(server: Server, tls: Tls, event: 'connection' | 'secureConnection') {
    this.#server = server;
    this.#tls = tls;
    server.on(event, (socket: Socket) => this.#serve(socket));
  }

  static async start(tls: Tls, security: 'ldaps' | 'plain'): Promise<FakeDirectory> {
    const server = security === 'ldaps' ? createTls(tls) : createTcp();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeDirectory(server, tls, security === 'ldaps' ? 'secureConnection' : 'connection');
  }

  get port(): number {
    const at = this.#server.address();
    return typeof at === 'object' && at !== null ? at.port : 0;
  }

  config(changes: Partial<DirectoryConfig> = {}): DirectoryConfig {
    return {
      servers: ['127.0.0.1'],
      port: this.port,
      security: 'ldaps',
      ca: this.#tls.caPem,
      searchBase: 'DC=corp,DC=example',
      bindName: 'search@corp.example',
      bindPassword: 'search-secret',
      loginAttribute: 'sAMAccountName',
      nestedGroups: true,
      pageSize: 100,
      ...changes,
    };
  }

  /** Waits for something to become true of the connections. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  get open(): number {
    return this.#sockets.size;
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    this.#wake();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#wake();
    });
    // Every request comes as one piece: they are small, and their sender waits for each answer.
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      if (chunk[0] !== 0x30) return;
      const body = new BerReader(chunk);
      body.readSequence();
      const id = body.readInt() ?? 0;
      const op = body.readSequence() ?? 0;
      this.requests.push(op);
      this.#wake();
      this.onRequest({ id, op, body }, socket);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}
