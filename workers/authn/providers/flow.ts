import * as client from 'openid-client';
import * as z from 'zod';
import { OutriderError } from '#schema/errors.ts';
import type { Config } from '../../env.ts';
import { hashSecret } from '../secret.ts';
import { open, seal, SealedError } from '../secret-box.ts';

/** `__Host-`: this host alone, over TLS, and no other host can plant it (RFC 6265bis §4.1.3.2). */
const COOKIE = '__Host-outrider-signin';
const PLACE = ['cookie', 'sign-in'] as const;

/** Time to type a password and a second factor at the provider. */
const FLOW_SECONDS = 600;

const Flow = z.strictObject({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  expiresAt: z.int(),
});

/** A sign-in that a browser has begun. Kept by that browser, sealed, so that it can be finished there alone. Moments: epoch seconds. */
export type Flow = z.output<typeof Flow>;

/** A new sign-in: three secrets of 256 bits. */
export function newFlow(provider: string, returnTo: string, now: number): Flow {
  return {
    provider,
    state: client.randomState(),
    nonce: client.randomNonce(),
    verifier: client.randomPKCECodeVerifier(),
    returnTo,
    expiresAt: now + FLOW_SECONDS,
  };
}

/** `Set-Cookie` that has the browser remember a flow. Lax: the provider's page sends the browser back by a link of another site. */
export async function rememberFlow(config: Config, flow: Flow): Promise<string> {
  const value = await seal(config, PLACE, JSON.stringify(flow));
  return `${COOKIE}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${FLOW_SECONDS}`;
}

/** `Set-Cookie` that has the browser forget its flow. */
export const FORGET_FLOW = `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0`;

const refused = (detail: string): OutriderError => new OutriderError('sign_in_failed', detail);

/**
 * The flow that this browser began and that this callback ends, and the id under which it is noted that it was.
 * @throws OutriderError sign_in_failed: none, another's, of another provider, expired
 */
export async function recallFlow(
  config: Config,
  { cookies, provider, state, now }: { cookies: string | null; provider: string; state: string | null; now: number },
): Promise<{ flow: Flow; id: string }> {
  const flow = await openFlow(config, cookies);
  // A callback of one provider with the flow of another: an attacker's provider would be handed the code of an honest one (RFC 9700 §4.4).
  if (flow.provider !== provider) throw refused('this sign-in was begun with another provider; begin again');
  if (now >= flow.expiresAt) throw refused('this sign-in has taken too long; begin again');
  // Hashes, so that how long it takes tells nothing of the state.
  const id = await hashSecret(flow.state);
  if (state === null || (await hashSecret(state)) !== id) {
    throw refused('this answer is not of the sign-in that this browser began; begin again');
  }
  return { flow, id };
}

async function openFlow(config: Config, cookies: string | null): Promise<Flow> {
  const values = (cookies ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .map((pair) => pair.slice(COOKIE.length + 1));
  const [value] = values;
  if (value === undefined || values.length > 1) throw refused('this browser has begun no sign-in; begin again');
  try {
    return Flow.parse(JSON.parse(await open(config, PLACE, value)));
  } catch (error) {
    if (error instanceof SealedError) throw refused('this browser has begun no sign-in; begin again');
    throw error;
  }
}
