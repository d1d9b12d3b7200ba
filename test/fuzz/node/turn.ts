import { setImmediate } from 'node:timers/promises';
import { FrameType } from '#schema/protocol/codec/frame.ts';
import { MAX_HELLO_BYTES } from '#schema/protocol/limits.ts';
import { frames } from '../../conformance/support/link.ts';

/** Whatever this turn of the event loop has promised has happened. */
export async function turn(): Promise<void> {
  await setImmediate();
}

/** A HELLO frame. */
export function words(message: object): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(JSON.stringify(message));
  return frames([FrameType.HELLO, 0, 0, 0, payload.subarray(0, MAX_HELLO_BYTES)]);
}
