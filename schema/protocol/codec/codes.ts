/**
 * Why a stream was reset or a session ended: the wire codes of RESET and GOAWAY. A session that ends closes its WebSocket with
 * {@link CLOSE_CODE_BASE} + code (RFC 6455 §7.4.2 leaves 4000–4999 to applications).
 */
export const ProtocolCode = {
  /** No error: the peer no longer wants the stream. */
  CANCELLED: 1,
  /** No new streams; those open may finish. */
  DRAIN: 2,
  /** The sender broke the specification. */
  PROTOCOL_ERROR: 3,
  /** A critical frame type that the receiver does not know. */
  UNKNOWN_FRAME: 4,
  /** More DATA than the receiver gave credit for. */
  FLOW_CONTROL: 5,
  /** A limit of `limits.ts` was passed. */
  LIMIT: 6,
  /** No common version. */
  VERSION: 7,
  /** The credential or the proof in HELLO does not hold, or was revoked. */
  UNAUTHENTICATED: 8,
  /** A stream kind that the receiver does not serve. */
  UNSUPPORTED: 9,
  /** A newer dial of the same agent instance took over. */
  SUPERSEDED: 10,
  /** The API server could not be reached, or does not take the agent's own token: nothing was executed. */
  UPSTREAM_UNREACHABLE: 11,
  /** The API server's connection broke after the request was sent. */
  UPSTREAM_LOST: 12,
  /** The receiver has no room for another stream; nothing was executed. */
  OVERLOADED: 13,
  /** The tunnel is gone. Never sent: what a stream's owner hears when its session ends. */
  TUNNEL_LOST: 14,
  /** The agent refuses to act as that identity. */
  IDENTITY_REFUSED: 15,
  /** A fault of the sender's own. */
  INTERNAL: 16,
} as const;
export type ProtocolCode = (typeof ProtocolCode)[keyof typeof ProtocolCode];

export const CLOSE_CODE_BASE = 4000;

const NAMES = new Map<number, string>(Object.entries(ProtocolCode).map(([name, code]) => [code, name]));

/** The name of a wire code for logs and messages; numbers that are not in the table come from a newer peer. */
export function codeName(code: number): string {
  return NAMES.get(code) ?? `code ${code}`;
}

/** A fault of the peer that ends the session with `code`. */
export class ProtocolError extends Error {
  readonly code: ProtocolCode;
  constructor(code: ProtocolCode, message: string) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
  }
}

/** The peer did what the protocol does not allow. */
export function violation(detail: string): ProtocolError {
  return new ProtocolError(ProtocolCode.PROTOCOL_ERROR, detail);
}
