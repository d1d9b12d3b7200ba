import type { Context, Next } from 'hono';
import { errorRow, OutriderError } from '#schema/errors.ts';
import { Content } from '../cluster/request/content.ts';

/** Nothing on the management API is larger; a login body of a megabyte is an attack (CVE-2024-58259). */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Refuses a larger body before anybody reads it. Hono's own leaves its reader on a body without a length that is too large, so that nobody can take the rest before the refusal goes out, and the
 * client may never read that.
 * @throws OutriderError `too_large`
 */
export async function limitBody({ req }: Pick<Context, 'req'>, next: Next): Promise<void> {
  const { method, headers } = req.raw;
  // Nobody reads theirs, and no other request with one can be made.
  if (method === 'GET' || method === 'HEAD') return await next();
  const length = headers.get('content-length');
  if (length !== null && !headers.has('transfer-encoding')) {
    // Whoever answers waits for the rest.
    if (Number(length) > MAX_BODY_BYTES) throw tooLarge();
  } else {
    const content = Content.of(req.raw);
    if (content !== null) {
      const read = { body: await readAll(content) };
      req.raw = new Request(req.raw, read);
    }
  }
  await next();
}

/** Copies each piece: what it stands in is as long as the longest, and a client may send an octet at a time. */
async function readAll(content: Content): Promise<Uint8Array> {
  let all = new Uint8Array(0);
  let size = 0;
  for (let piece = await content.read(); piece !== null; piece = await content.read()) {
    const end = size + piece.byteLength;
    if (end > MAX_BODY_BYTES) {
      const error = tooLarge();
      await content.answered(errorRow(error.code).status);
      throw error;
    }
    if (end > all.byteLength) {
      const larger = new Uint8Array(Math.min(MAX_BODY_BYTES, Math.max(end, 2 * all.byteLength)));
      larger.set(all.subarray(0, size));
      all = larger;
    }
    all.set(piece, size);
    size = end;
  }
  return all.subarray(0, size);
}

const tooLarge = (): OutriderError => new OutriderError('too_large', `a body may have ${MAX_BODY_BYTES} bytes at most`);
