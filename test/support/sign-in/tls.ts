import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { makeAuthority, makeServerCertificate } from '#scripts/local/tls/issue.ts';

/** A company's own CA, and what a server of it on this machine shows. */
export interface Tls {
  readonly caPem: string;
  readonly cert: string;
  readonly key: string;
}

export async function makeTls(): Promise<Tls> {
  const [tls] = await makeServers(['localhost', '127.0.0.1']);
  return tls;
}

/** Servers of one company, each by its names. */
export async function makeServers<const N extends readonly (readonly string[])[]>(
  ...servers: N
): Promise<{ [I in keyof N]: Tls }> {
  const authority = await makeAuthority('A company');
  const make = async (names: readonly string[]): Promise<Tls> => {
    const { certificate, key } = await makeServerCertificate(authority, names);
    return { caPem: authority.certificate, cert: certificate, key };
  };
  // `map` forgets how long a list is.
  return (await Promise.all(servers.map(make))) as { [I in keyof N]: Tls };
}

/** A server on this machine. */
export interface Listening {
  /** `https://localhost:port` */
  readonly url: string;
  close(): Promise<void>;
}

export async function listenTls(
  { cert, key }: Tls,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Listening> {
  const server = createServer({ cert, key }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `https://localhost:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
