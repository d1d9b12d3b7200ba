import { ProtocolCode, ProtocolError } from '../codec/codes.ts';
import type { StreamKind } from '../codec/frame.ts';
import { SESSION_QUEUE_MAX } from '../limits.ts';

/** How things stand at the plane when it would open a stream. */
interface Opening {
  /** The agent takes no new streams. */
  readonly peerDraining: boolean;
  /** Streams that are open, and how many may be. */
  readonly open: number;
  readonly most: number;
  /** Octets that wait to be sent. */
  readonly queuedBytes: number;
}

/** Why the plane opens no stream now, though the session is open; null: nothing is against it. */
export function refusalToOpen({ peerDraining, open, most, queuedBytes }: Opening): ProtocolError | null {
  if (peerDraining) return new ProtocolError(ProtocolCode.DRAIN, 'the tunnel takes no new streams');
  if (open >= most) {
    return new ProtocolError(ProtocolCode.OVERLOADED, `${open} requests are under way on this tunnel`);
  }
  if (queuedBytes < SESSION_QUEUE_MAX) return null;
  return new ProtocolError(ProtocolCode.OVERLOADED, 'too much waits to be sent on this tunnel');
}

/** The payload of OPEN: the kind, and the head. */
export function openPayload(kind: StreamKind, head: Uint8Array): Uint8Array {
  const payload = new Uint8Array(1 + head.byteLength);
  payload[0] = kind;
  payload.set(head, 1);
  return payload;
}
