import { createServer, type Server } from 'node:http';

/** What the status server shows. */
export interface StatusSources {
  /** Whether a tunnel is settled: readiness. Liveness does not ask: a restart does not bring the plane back. */
  connected(): boolean;
  metrics(): Promise<string>;
  metricsContentType: string;
}

/** The longest that a scrape or probe may take to send its request, ms: Prometheus' own default timeout. */
const REQUEST_TIMEOUT_MS = 10_000;

type Answer = { status: number; type: string; body: string };

const plain = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
});

const PAGES: Readonly<Record<string, (sources: StatusSources) => Answer | Promise<Answer>>> = {
  '/healthz': () => plain(200, 'ok'),
  '/readyz': (sources) => (sources.connected() ? plain(200, 'ok') : plain(503, 'no tunnel to the plane')),
  '/metrics': async (sources) => ({ status: 200, type: sources.metricsContentType, body: await sources.metrics() }),
};

/** A running status server. */
export interface StatusServer {
  /** The port that was bound; of use where 0 was asked for. */
  port: number;
  close(): Promise<void>;
}

/**
 * Serves `/healthz` (the process lives), `/readyz` (a tunnel is settled) and `/metrics`, by GET, without TLS: inside the cluster only.
 * @param address without one Node listens on `::`, which takes IPv4 too, or on 0.0.0.0 where there is no IPv6.
 * @throws Error of `listen` when the port is taken.
 */
export async function serveStatus(
  address: string | undefined,
  port: number,
  sources: StatusSources,
): Promise<StatusServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const page = PAGES[(request.url ?? '').split('?', 1)[0] ?? ''];
    void Promise.resolve(request.method === 'GET' && page !== undefined ? page(sources) : plain(404, 'not found'))
      .catch(() => plain(500, 'internal error'))
      .then(({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body));
  });
  const bound = await listen(server, port, address);
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number, address: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: address }, () => {
      server.off('error', reject);
      // The status page is never a reason to go on living.
      server.unref();
      const at = server.address();
      resolve(at === null || typeof at === 'string' ? port : at.port);
    });
  });
}
