import * as client from 'openid-client';
import type { ProviderSecrets, ProviderSettings } from '#schema/api/providers/types.ts';
import { askProvider } from '../outbound.ts';
import { ProviderRefusal, ProviderUnavailable } from '../provider.ts';

type Settings = Extract<ProviderSettings, { type: 'oidc' }>;

/** Signatures whose key nobody but the provider has (RFC 7518 §3.1, RFC 8037): no `none`, and no HMAC, for which a published key would be the secret. */
const ALGORITHMS = new Set([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);

/** How long a discovered document is used, ms. Keys are fetched for each sign-in, so their rotation is seen at once. */
const METADATA_MS = 600_000;

interface Known {
  readonly metadata: client.ServerMetadata;
  readonly until: number;
}
const discovered = new Map<string, Known>();
/** More providers than a plane has; their issuers are an administrator's. */
const MAX_KNOWN = 64;

/** The library sends forms and nothing else. */
const ask: client.CustomFetch = async (url, { method, headers, body }) => {
  const form = body instanceof URLSearchParams ? body.toString() : null;
  return await askProvider(url, { method, headers, ...(form === null ? {} : { body: form }) });
};

/** The algorithms of ID tokens that are taken: what the server says, less what is never safe. */
export const algorithmsOf = ({ id_token_signing_alg_values_supported: said }: client.ServerMetadata): string[] =>
  (said ?? ['RS256']).filter((algorithm) => ALGORITHMS.has(algorithm));

/**
 * A client of the provider as it is now. ID tokens are always verified with the provider's keys, although TLS to its token endpoint could stand for that (OpenID Connect Core
 * 1.0 §3.1.3.7).
 * @throws ProviderRefusal it is not the configured issuer; ProviderUnavailable
 */
export async function connect(
  settings: Settings,
  secrets: ProviderSecrets,
  { fresh = false }: { fresh?: boolean } = {},
): Promise<client.Configuration> {
  const metadata = await metadataOf(settings.issuer, fresh);
  const secret = secrets['clientSecret'];
  const configuration = new client.Configuration(
    { ...metadata, id_token_signing_alg_values_supported: algorithmsOf(metadata) },
    settings.clientId,
    {},
    authentication(metadata, secret),
  );
  configuration[client.customFetch] = ask;
  client.enableNonRepudiationChecks(configuration);
  return configuration;
}

async function metadataOf(issuer: string, fresh: boolean): Promise<client.ServerMetadata> {
  const known = discovered.get(issuer);
  if (!fresh && known !== undefined && Date.now() < known.until) return known.metadata;
  const metadata = await attempt(async () => {
    const options = { [client.customFetch]: ask };
    const found = await client.discovery(new URL(issuer), 'discovery', undefined, client.None(), options);
    return found.serverMetadata();
  });
  // The library knows issuers of which one document serves many tenants: any of them could then sign people in.
  if (!isSame(metadata.issuer, issuer)) throw new ProviderRefusal('the discovered document is of another issuer');
  if (discovered.size >= MAX_KNOWN) discovered.clear();
  discovered.set(issuer, { metadata, until: Date.now() + METADATA_MS });
  return metadata;
}

const isSame = (issuer: string, configured: string): boolean =>
  URL.canParse(issuer) && new URL(issuer).href === new URL(configured).href;

/** `client_secret_basic` where the server takes it, which every server does that says nothing (OpenID Connect Discovery 1.0 §3). */
function authentication(metadata: client.ServerMetadata, secret: string | undefined): client.ClientAuth {
  if (secret === undefined) return client.None();
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic') ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
}

/** The OAuth error code of a refusal (RFC 6749 §5.2); null: it is none. */
function oauthError(error: unknown): string | null {
  return error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError
    ? error.error
    : null;
}

/**
 * Runs something of the library, whose errors become ours: what the server cannot answer now says nothing about anybody, everything else is a refusal. The library's own texts and
 * causes quote tokens and claims, so none of them goes on; an {@link oauthError} goes on as `cause`.
 * @throws ProviderUnavailable, ProviderRefusal
 */
export async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProviderUnavailable || error instanceof ProviderRefusal) throw error;
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof ProviderUnavailable) throw cause;
    const status = statusOf(error, cause);
    if (status !== null && (status === 429 || status >= 500)) {
      throw new ProviderUnavailable(`the provider answered ${status}`);
    }
    const code = oauthError(error);
    if (code !== null) throw new ProviderRefusal(`the provider refused: ${code.slice(0, 64)}`, { cause: code });
    const reason = error instanceof client.ClientError ? error.message : 'it was not understood';
    throw new ProviderRefusal(`what the provider sent was not accepted: ${reason}`);
  }
}

function statusOf(error: unknown, cause: unknown): number | null {
  if (error instanceof client.ResponseBodyError) return error.status;
  return cause instanceof Response ? cause.status : null;
}
