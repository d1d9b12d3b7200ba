import { ProviderUnavailable } from './provider.ts';

/** A provider that takes longer keeps a person waiting for nothing, ms. */
const ANSWER_MS = 10_000;

/** The largest answer that is read: 100 teams of GitHub are some 200 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Asks a provider, with bounds on time and size. Redirects are not followed: they would take credentials to where nobody configured.
 * @throws ProviderUnavailable no answer, or one that is too large
 */
export async function askProvider(url: string, init: RequestInit): Promise<Response> {
  const host = new URL(url).host;
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(ANSWER_MS) });
    const body = await readBounded(response);
    if (body === null) throw new ProviderUnavailable(`the answer of ${host} is too large`);
    const { status, headers } = response;
    // A Response may have a status of 200 to 599, and no body with these (Fetch, "null body status").
    return new Response([101, 204, 205, 304].includes(status) ? null : body, { status, headers });
  } catch (error) {
    if (error instanceof ProviderUnavailable) throw error;
    const slow = error instanceof Error && error.name === 'TimeoutError';
    throw new ProviderUnavailable(
      slow ? `${host} did not answer within ${ANSWER_MS / 1000} s` : `${host} cannot be reached`,
    );
  }
}

/** Null: too large. */
async function readBounded({ body }: Response): Promise<Uint8Array<ArrayBuffer> | null> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    size += read.value.byteLength;
    parts.push(read.value);
    if (size <= MAX_ANSWER_BYTES) continue;
    await reader?.cancel();
    return null;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
