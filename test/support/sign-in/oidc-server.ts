import { generateKeyPairSync, randomBytes } from 'node:crypto';
import OidcProvider from 'oidc-provider';
import { listenTls, type Listening, type Tls } from './tls.ts';

/** Somebody at the provider; they sign in with any password. */
export interface Person {
  readonly preferred_username: string;
  readonly name: string;
  groups: string[];
}

/** A real OpenID provider, of a library that is certified as one, with its own pages. */
export interface OidcServer extends Listening {
  readonly people: Map<string, Person>;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Starts one that knows the plane as a client. Groups are told by UserInfo alone, as OpenID Connect Core 1.0 §5.4 has it for the code flow. */
export async function startOidc(tls: Tls, callbackUrl: () => string): Promise<OidcServer> {
  const people = new Map<string, Person>();
  const clientId = 'outrider';
  const clientSecret = randomBytes(24).toString('base64url');
  const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  let provider: OidcProvider | undefined;
  const listening = await listenTls(tls, (request, response) => {
    // Made at the first request: by then the plane's address is known, which the client is registered with.
    provider ??= new OidcProvider(listening.url, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [callbackUrl()],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      ],
      jwks: { keys: [{ ...signingKey, use: 'sig', alg: 'RS256', kid: 'one' }] },
      cookies: { keys: [randomBytes(24).toString('hex')] },
      claims: { openid: ['sub'], profile: ['preferred_username', 'name', 'groups'] },
      findAccount: (_context: unknown, id: string) => {
        const person = people.get(id);
        return person && { accountId: id, claims: () => ({ sub: id, ...person }) };
      },
    });
    provider.callback()(request, response);
  });
  return { ...listening, people, clientId, clientSecret };
}
