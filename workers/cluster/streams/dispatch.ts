import { OutriderError, type ErrorCode } from '#schema/errors.ts';
import { codeName, ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import type { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import type { Client } from './departures.ts';
import type { Pool } from '../tunnels/pool.ts';
import type { Tunnel } from '../tunnels/tunnel.ts';

/** The owner of one stream; `stream` is set before any of its verbs is called. */
export interface Exchange extends StreamHandler {
  stream: Stream | null;
  /** Why it is over before it began: its client went away, or its access was taken back, while it waited for a tunnel. */
  readonly failure: OutriderError | null;
}

/** What a reset before the response's head says to the caller. Codes that are not here mean that the request may have been executed. */
const REFUSALS: Partial<Record<ProtocolCode, ErrorCode>> = {
  [ProtocolCode.OVERLOADED]: 'overloaded',
  [ProtocolCode.DRAIN]: 'overloaded',
  [ProtocolCode.UPSTREAM_UNREACHABLE]: 'upstream_unreachable',
  [ProtocolCode.UPSTREAM_LOST]: 'upstream_lost',
  [ProtocolCode.IDENTITY_REFUSED]: 'forbidden',
  [ProtocolCode.UNSUPPORTED]: 'agent_outdated',
};

/** A stream that was reset before its response began. */
export class StreamReset extends OutriderError {
  readonly reset: number;
  constructor(reset: number, reason: string) {
    super((REFUSALS as Record<number, ErrorCode>)[reset] ?? 'tunnel_lost', `${reason} (${codeName(reset)})`);
    this.reset = reset;
  }
}

/** A stream that is to be opened. */
export interface Opening {
  readonly kind: StreamKind;
  readonly head: Uint8Array;
  readonly fin: boolean;
  /** Aborts when nobody waits any more. */
  readonly client: Pick<Client, 'signal'>;
}

/**
 * Opens a stream for `exchange` on the tunnel that serves: at once, or, where the last was lost only just now, when there is one again.
 * @throws OutriderError when nothing was sent, at once or by the promise.
 */
export function dispatch(pool: Pool, exchange: Exchange, opening: Opening): Stream | Promise<Stream> {
  const tunnel = pool.active();
  return tunnel === null ? waited(pool, exchange, opening) : open(tunnel, exchange, opening);
}

async function waited(pool: Pool, exchange: Exchange, opening: Opening): Promise<Stream> {
  const { signal } = opening.client;
  const tunnel = await pool.wait(signal);
  if (signal.aborted) throw exchange.failure ?? new OutriderError('bad_request', 'the client went away');
  return open(tunnel, exchange, opening);
}

function open(tunnel: Tunnel | null, exchange: Exchange, { kind, head, fin }: Opening): Stream {
  if (exchange.failure !== null) throw exchange.failure;
  if (tunnel === null) throw tunnelDown();
  if (!tunnel.serves(kind)) {
    throw new OutriderError('agent_outdated', 'the agent of this cluster cannot serve this kind of request; update it');
  }
  try {
    exchange.stream = tunnel.open(kind, head, fin, exchange);
    return exchange.stream;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // It ended in this very turn: nothing was sent.
    if (error.code === ProtocolCode.TUNNEL_LOST) throw tunnelDown();
    throw new StreamReset(error.code, error.message);
  }
}

const tunnelDown = (): OutriderError =>
  new OutriderError(
    'tunnel_down',
    'no agent of this cluster is connected; look at `kubectl -n outrider-system logs deployment/outrider-agent` in the cluster',
  );

/** Whether the same request may be sent again: the agent said that it executed nothing of it. */
export function mayRedispatch(error: unknown): boolean {
  return error instanceof StreamReset && error.reset === ProtocolCode.DRAIN;
}
