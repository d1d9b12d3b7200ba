import type { Socket } from 'node:net';
import { Client, type Entry, type Filter } from 'ldapts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import { ATTRIBUTES, BINARY } from './entries.ts';
import { DirectoryFailure, failureOf, resultCode, ResultCode } from './failure.ts';
import type { Dial, DirectorySocket } from './socket.ts';

/** One operation, ms. A chain of memberships takes a large domain a second. */
const OPERATION_MS = 8_000;

/** What one connection may bring: a thousand groups are a few hundred KiB. The LDAP library holds a message of any size, and copies all of it for each piece that comes. */
const MAX_RECEIVED_BYTES = 2 * 1024 * 1024;

/** Answers to a bind that say: not with these. A server may say so in several ways, of a name that it does not know or an account that it has locked. */
const REFUSALS = new Set<number | null>([
  ResultCode.INVALID_CREDENTIALS,
  ResultCode.CONSTRAINT_VIOLATION,
  ResultCode.NO_SUCH_OBJECT,
  ResultCode.INVALID_DN_SYNTAX,
  ResultCode.INAPPROPRIATE_AUTHENTICATION,
  ResultCode.UNWILLING_TO_PERFORM,
]);

/** One connection to one server, bound as the account that searches. Failures are {@link DirectoryFailure}s. */
export class DirectorySession {
  readonly config: DirectoryConfig;
  readonly server: string;
  readonly #socket: DirectorySocket;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #stop = (): void => void this.#socket.destroy();

  private constructor(config: DirectoryConfig, server: string, socket: DirectorySocket, signal: AbortSignal) {
    this.config = config;
    this.server = server;
    this.#socket = socket;
    this.#signal = signal;
    this.#client = new Client({
      url: 'ldap://directory',
      timeout: OPERATION_MS,
      // Where the connection was lost before its first use, nothing would tell.
      connectTimeout: OPERATION_MS,
      createConnection: givenOnce(socket),
    });
    signal.addEventListener('abort', this.#stop, { once: true });
    if (signal.aborted) this.#stop();
  }

  /** @param means.signal ends the connection, and whatever is under way on it. */
  static async open(
    config: DirectoryConfig,
    server: string,
    { dial, signal }: { readonly dial: Dial; readonly signal: AbortSignal },
  ): Promise<DirectorySession> {
    const session = new DirectorySession(config, server, await dial(server, config, signal), signal);
    try {
      await session.#bindAsSearcher();
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#stop);
    this.#stop();
  }

  /** Whether the server takes this password for the entry. Afterwards the session searches as before. */
  async accepts(dn: string, password: string): Promise<boolean> {
    // Either would be a bind as nobody, which servers welcome (RFC 4513 §5.1.1, §5.1.2).
    if (dn === '' || password === '') return false;
    const accepted = await this.#bind(dn, password);
    await this.#bindAsSearcher();
    return accepted;
  }

  /** Entries below the search base, in pages (RFC 2696), and no more than one past `most`. What the server says is elsewhere is not gone after. */
  async search(filter: Filter, most: number): Promise<Entry[]> {
    return await this.#search('sub', filter, most);
  }

  /** @throws DirectoryFailure search_base where nothing is to be seen there. */
  async checkBase(): Promise<void> {
    const entries = await this.#search('base', undefined, 1);
    if (entries.length === 0)
      throw new DirectoryFailure('search_base', `${this.server}: there is nothing at the search base`);
  }

  async #search(scope: 'sub' | 'base', filter: Filter | undefined, most: number): Promise<Entry[]> {
    const { searchBase, pageSize } = this.config;
    const found: Entry[] = [];
    try {
      const pages = this.#client.searchPaginated(searchBase, {
        scope,
        ...(filter === undefined ? {} : { filter }),
        attributes: ATTRIBUTES,
        explicitBufferAttributes: BINARY,
        paged: { pageSize },
        timeLimit: OPERATION_MS / 1000,
      });
      for await (const { searchEntries } of pages) {
        found.push(...searchEntries.slice(0, most + 1 - found.length));
        if (found.length > most) break;
      }
    } catch (error) {
      throw failureOf(error, this.server);
    }
    return found;
  }

  async #bindAsSearcher(): Promise<void> {
    const { bindName, bindPassword } = this.config;
    if (await this.#bind(bindName, bindPassword)) return;
    // Not tried on another server: a wrong password, repeated, locks the account.
    throw new DirectoryFailure('search_account', `${this.server}: the account that searches is not let in`);
  }

  async #bind(dn: string, password: string): Promise<boolean> {
    try {
      await this.#client.bind(dn, password);
      return true;
    } catch (error) {
      if (REFUSALS.has(resultCode(error))) return false;
      throw failureOf(error, this.server);
    }
  }
}

/**
 * The LDAP library dials anew when its connection is lost, and would then go on as nobody, and without TLS. It is given the one connection that was made for it, with a count of what
 * comes, and no other.
 */
function givenOnce(socket: DirectorySocket): () => Socket {
  let given = false;
  let received = 0;
  return () => {
    if (given) throw new Error('the connection was lost');
    given = true;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.byteLength;
      if (received > MAX_RECEIVED_BYTES) socket.destroy();
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a stream with two fields more is all that the library uses of a socket
    return socket as Socket;
  };
}
