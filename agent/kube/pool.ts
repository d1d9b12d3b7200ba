import { connect as tlsConnect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { buildConnector as Connector } from 'undici';
import buildConnector from 'undici/lib/core/connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { MAX_HEAD_BYTES } from '#schema/protocol/limits.ts';
import type { ApiServer } from './api-server.ts';

/** A TCP or TLS handshake inside a cluster that takes longer than this is not going to end, ms. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Idle connections are closed before the API server's own 90 s limit would (`apiserver/pkg/server/secure_serving.go`, IdleTimeout), ms. */
const KEEP_ALIVE_MS = 60_000;

/**
 * TCP asks a silent peer whether it lives after this, and Node gives it ten seconds more to answer, ms: a watch on an API server whose machine is gone ends within 40 s. client-go
 * takes 45 (`golang.org/x/net/http2`, ReadIdleTimeout and PingTimeout as `apimachinery/pkg/util/net` sets them).
 */
const PROBE_AFTER_MS = 30_000;

/** The least TLS that any supported API server speaks (`--tls-min-version` defaults to 1.2). */
const MIN_TLS_VERSION = 'TLSv1.2';

/**
 * Connections to the API server, HTTP/1.1 and one request each: a watch holds its connection, a cancelled request closes it, and the API server sees that at
 * once. Their number is bounded by the streams that the tunnel allows. A rotated CA counts from the next connection on.
 */
export function createPool(api: ApiServer): Pool {
  let known: { ca: string; connect: Connector.connector } | null = null;
  const connectorFor = (ca: string): Connector.connector => {
    if (known?.ca === ca) return known.connect;
    const connect = buildConnector({
      ca,
      servername: api.servername,
      minVersion: MIN_TLS_VERSION,
      rejectUnauthorized: true,
      allowH2: false,
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    });
    known = { ca, connect };
    return connect;
  };
  return new Pool(api.origin, {
    connections: null,
    pipelining: 1,
    allowH2: false,
    // A watch may be silent for an hour; the client's own patience decides.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    connect: (options, callback) => {
      api.ca().then(
        (ca) => connectorFor(ca)(options, callback),
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
      );
    },
  });
}

/** Made once for a CA: to read its certificates takes longer than the rest of an exec, and its copies stay until they are collected. */
let context: { ca: string; secure: SecureContext } | null = null;

function secureContext(ca: string): SecureContext {
  if (context?.ca !== ca) context = { ca, secure: createSecureContext({ ca, minVersion: MIN_TLS_VERSION }) };
  return context.secure;
}

/**
 * A connection of its own for an upgrade, never pooled. An error before `secureConnect` means that nothing was sent.
 * @param ca what {@link ApiServer.ca} gave.
 */
export function connectApart(api: ApiServer, ca: string): TLSSocket {
  const socket = tlsConnect({
    host: api.hostname,
    port: api.port,
    servername: api.servername,
    secureContext: secureContext(ca),
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  });
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' })),
    CONNECT_TIMEOUT_MS,
  );
  socket.setNoDelay(true);
  socket.setKeepAlive(true, PROBE_AFTER_MS);
  socket.once('secureConnect', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
  return socket;
}
