import { ProtocolCode, ProtocolError } from './codes.ts';
import { decodeCode } from './decode.ts';
import { encodeCode } from './encode.ts';
import { MAX_CLOSE_REASON_BYTES } from '../limits.ts';

/** RFC 6455 §7.4.1: a close frame without a code; the code itself never travels. */
export const NO_CLOSE_CODE = 1005;

/** How a WebSocket was closed. */
export interface Close {
  code: number;
  reason: string;
}

/** A reason that fits a close frame, cut between characters. */
export function cutReason(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(MAX_CLOSE_REASON_BYTES));
  return reason.slice(0, read);
}

/** Payload of END on an `upgrade` stream. */
export function encodeClose({ code, reason }: Close): Uint8Array {
  if (code === NO_CLOSE_CODE) return new Uint8Array(0);
  return encodeCode(code, reason, MAX_CLOSE_REASON_BYTES);
}

/** @throws ProtocolError for a payload of one octet. */
export function decodeClose(payload: Uint8Array): Close {
  if (payload.byteLength === 0) return { code: NO_CLOSE_CODE, reason: '' };
  if (payload.byteLength === 1) throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'close code of one octet');
  return decodeCode(payload);
}

/** Whether a close code may be sent in a close frame (RFC 6455 §7.4): 1005, 1006 and 1015 only ever describe. */
export function isSendableCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999)
  );
}
