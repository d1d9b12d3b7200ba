import { exportJWK, generateKeyPair, SignJWT, base64url, type CryptoKey } from 'jose';

/** What a token endpoint is asked for, and may answer. */
export interface IdToken {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}

interface Code {
  readonly subject: string;
  readonly nonce: string | null;
  readonly challenge: string;
  readonly redirectUri: string;
}

/** Somebody at the provider. */
export interface OidcPerson {
  readonly preferred_username?: string;
  readonly name?: string;
  groups?: unknown;
}

export const CLIENT = { clientId: 'outrider', clientSecret: 'oidc-client-secret' };

const sha256 = async (text: string): Promise<string> =>
  base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));

/** An OpenID provider that can be made to lie, behind `fetch`. The honest flow is tested against a real one in `test/e2e/providers`. */
export class OidcProvider {
  readonly issuer: string;
  readonly people = new Map<string, OidcPerson>();
  /** Changes an ID token before it is signed. */
  tamper: (token: IdToken) => void = () => undefined;
  /** Signs in place of the provider's own key; what it returns is the whole ID token. */
  forge: ((token: IdToken) => Promise<string>) | null = null;
  /** Changes the discovered document. */
  metadata: Record<string, unknown> = {};
  /** Runs while a code is exchanged. */
  during: () => Promise<void> = async () => undefined;
  down = false;
  refreshTokens = true;
  readonly #codes = new Map<string, Code>();
  readonly #refresh = new Map<string, string>();
  readonly #access = new Map<string, string>();
  readonly #key: CryptoKey;
  readonly jwk: Record<string, unknown>;

  private constructor(issuer: string, key: CryptoKey, jwk: Record<string, unknown>) {
    this.issuer = issuer;
    this.#key = key;
    this.jwk = jwk;
  }

  static async make(issuer: string): Promise<OidcProvider> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    return new OidcProvider(issuer, privateKey, {
      ...(await exportJWK(publicKey)),
      kid: 'one',
      alg: 'RS256',
      use: 'sig',
    });
  }

  /** The person signs in and is sent back: the address of the callback. */
  authorize(location: string, subject: string): string {
    const query = new URL(location).searchParams;
    const code = crypto.randomUUID();
    const redirectUri = query.get('redirect_uri') ?? '';
    this.#codes.set(code, {
      subject,
      nonce: query.get('nonce'),
      challenge: query.get('code_challenge') ?? '',
      redirectUri,
    });
    const back = new URL(redirectUri);
    back.search = new URLSearchParams({ code, state: query.get('state') ?? '', iss: this.issuer }).toString();
    return back.href;
  }

  /** Everything that was ever granted to somebody ends. */
  revoke(subject: string): void {
    for (const [token, whose] of this.#refresh) if (whose === subject) this.#refresh.delete(token);
  }

  async handle(request: Request): Promise<Response> {
    if (this.down) return new Response('down', { status: 503 });
    const { pathname } = new URL(request.url);
    if (pathname === '/.well-known/openid-configuration') return Response.json(this.#document());
    if (pathname === '/jwks') return Response.json({ keys: [this.jwk] });
    if (pathname === '/token') return await this.#token(request);
    if (pathname === '/me') return this.#userInfo(request);
    return new Response('not found', { status: 404 });
  }

  #document(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/auth`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      userinfo_endpoint: `${this.issuer}/me`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      ...this.metadata,
    };
  }

  async #token(request: Request): Promise<Response> {
    const refusal = (error: string, status = 400): Response => Response.json({ error }, { status });
    const basic = `Basic ${btoa(`${CLIENT.clientId}:${encodeURIComponent(CLIENT.clientSecret).replaceAll('-', '%2D')}`)}`;
    if (request.headers.get('authorization') !== basic) return refusal('invalid_client', 401);
    const form = new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()));
    if (form.get('grant_type') === 'refresh_token') {
      const whose = this.#refresh.get(form.get('refresh_token') ?? '');
      if (whose === undefined) return refusal('invalid_grant');
      this.#refresh.delete(form.get('refresh_token') ?? '');
      return Response.json(await this.#granted(whose, null));
    }
    const code = this.#codes.get(form.get('code') ?? '');
    this.#codes.delete(form.get('code') ?? '');
    const right =
      code !== undefined &&
      code.redirectUri === form.get('redirect_uri') &&
      code.challenge === (await sha256(form.get('code_verifier') ?? ''));
    if (!right) return refusal('invalid_grant');
    await this.during();
    return Response.json(await this.#granted(code.subject, code.nonce));
  }

  async #granted(subject: string, nonce: string | null): Promise<Record<string, unknown>> {
    const now = Math.floor(Date.now() / 1000);
    const token: IdToken = {
      header: { alg: 'RS256', kid: 'one' },
      claims: {
        iss: this.issuer,
        aud: CLIENT.clientId,
        sub: subject,
        iat: now,
        exp: now + 300,
        ...(nonce === null ? {} : { nonce }),
      },
    };
    this.tamper(token);
    const access = crypto.randomUUID();
    const refresh = crypto.randomUUID();
    this.#access.set(access, subject);
    if (this.refreshTokens) this.#refresh.set(refresh, subject);
    return {
      access_token: access,
      token_type: 'bearer',
      expires_in: 300,
      id_token: this.forge === null ? await this.#sign(token) : await this.forge(token),
      ...(this.refreshTokens ? { refresh_token: refresh } : {}),
    };
  }

  async #sign({ header, claims }: IdToken): Promise<string> {
    return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', ...header }).sign(this.#key);
  }

  #userInfo(request: Request): Response {
    const subject = this.#access.get((request.headers.get('authorization') ?? '').replace(/^Bearer /i, ''));
    const person = subject === undefined ? undefined : this.people.get(subject);
    if (subject === undefined || person === undefined) return new Response(null, { status: 401 });
    return Response.json({ sub: subject, ...person });
  }
}
