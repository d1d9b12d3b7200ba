import * as client from 'openid-client';
import * as z from 'zod';
import type { ProviderSecrets, ProviderSettings } from '#schema/api/providers/types.ts';
import { algorithmsOf, attempt, connect } from './server.ts';
import { askProvider } from '../outbound.ts';
import { ProviderRefusal, ProviderUnavailable, type Check, type ConnectorContext } from '../provider.ts';

type Settings = Extract<ProviderSettings, { type: 'oidc' }>;

const KeySet = z.object({ keys: z.array(z.object({ kty: z.string() })).max(256) });

/** Errors of the token endpoint for a code that never was, which say that the client itself is not taken (RFC 6749 §5.2). */
const NOT_TAKEN = new Set(['invalid_client', 'unauthorized_client']);

/** Tries a configuration: the document, what it offers, its keys, and the client at the token endpoint. */
export async function probe(settings: Settings, secrets: ProviderSecrets, context: ConnectorContext): Promise<Check[]> {
  let found: client.Configuration | null = null;
  const discovery = await check('discovery', async () => {
    found = await connect(settings, secrets, { fresh: true });
    return `the document of ${settings.issuer}`;
  });
  return found === null ? [discovery] : [discovery, ...(await probeServer(found, context))];
}

async function probeServer(server: client.Configuration, context: ConnectorContext): Promise<Check[]> {
  const metadata = server.serverMetadata();
  return [
    await check('endpoints', async () => endpoints(metadata)),
    await check('signatures', async () => signatures(metadata)),
    await check('pkce', async () => pkce(metadata)),
    await check('keys', async () => await keys(metadata)),
    await check('credentials', async () => await credentials(server, context)),
  ];
}

/** What is thrown, or said, of one thing. */
async function check(name: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await run() };
  } catch (error) {
    if (error instanceof ProviderRefusal || error instanceof ProviderUnavailable) {
      return { name, ok: false, detail: error.message };
    }
    throw error;
  }
}

function endpoints(metadata: client.ServerMetadata): string {
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    const url = metadata[name] ?? '';
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:') {
      throw new ProviderRefusal(`${name} is not an https:// address`);
    }
  }
  return 'authorization, token and keys are there';
}

function signatures(metadata: client.ServerMetadata): string {
  const algorithms = algorithmsOf(metadata);
  if (algorithms.length === 0) throw new ProviderRefusal('it signs ID tokens with no public-key algorithm');
  return algorithms.join(', ');
}

function pkce({ code_challenge_methods_supported: methods }: client.ServerMetadata): string {
  if (methods === undefined) return 'the document says nothing of it';
  if (!methods.includes('S256')) throw new ProviderRefusal('S256 is not among its code challenge methods');
  return 'S256';
}

async function keys({ jwks_uri: url = '' }: client.ServerMetadata): Promise<string> {
  const response = await askProvider(url, { headers: { accept: 'application/json' } });
  const set = KeySet.safeParse(await response.json().catch(() => null));
  if (response.status !== 200 || !set.success) throw new ProviderRefusal('the keys cannot be read');
  const count = set.data.keys.filter(({ kty }) => kty !== 'oct').length;
  if (count === 0) throw new ProviderRefusal('there is no key');
  return `${count} keys`;
}

/** There is no such code, and a server looks at its client first (RFC 6749 §4.1.3). */
async function credentials(server: client.Configuration, { callbackUrl }: ConnectorContext): Promise<string> {
  const url = new URL(callbackUrl);
  url.search = new URLSearchParams({
    code: 'outrider-test',
    state: 'test',
    iss: server.serverMetadata().issuer,
  }).toString();
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  try {
    await attempt(
      async () => await client.authorizationCodeGrant(server, url, { expectedState: 'test', pkceCodeVerifier }),
    );
    return 'the server gave a token for no code';
  } catch (error) {
    if (!(error instanceof ProviderRefusal)) throw error;
    if (error.cause === 'invalid_grant') return 'the server knows the client';
    if (typeof error.cause === 'string' && !NOT_TAKEN.has(error.cause)) return `cannot be told: ${error.message}`;
    throw error;
  }
}
