import * as client from 'openid-client';
import * as z from 'zod';
import type { ProviderSecrets, ProviderSettings } from '#schema/api/providers/types.ts';
import { groupsIn, namesIn, claimAt, type Claims } from './claims.ts';
import { probe } from './probe.ts';
import { attempt, connect } from './server.ts';
import { principalOf } from '../principal.ts';
import {
  ProviderRefusal,
  ProviderUnavailable,
  type Connector,
  type ConnectorContext,
  type ExternalIdentity,
  type Refreshed,
  type Remembered,
} from '../provider.ts';

type Settings = Extract<ProviderSettings, { type: 'oidc' }>;

/** What a refresh asks with. The principal holds the subject encoded. */
const Grant = z.strictObject({ subject: z.string(), refreshToken: z.string() });

/** What a token endpoint gave. */
interface Granted {
  readonly claims: Claims;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
}

/** OpenID Connect with the authorization code flow, PKCE and a nonce. Who somebody is, is `sub` (Core 1.0 §5.7): names and addresses of mail are given away and taken again. */
export function openIdConnect(settings: Settings, secrets: ProviderSecrets, context: ConnectorContext): Connector {
  async function begin({ state, nonce, verifier }: Remembered): Promise<string> {
    const server = await connect(settings, secrets);
    const scopes = new Set(['openid', ...settings.scopes]);
    const challenge = await client.calculatePKCECodeChallenge(verifier);
    const url = await attempt(async () =>
      client.buildAuthorizationUrl(server, {
        redirect_uri: context.callbackUrl,
        scope: [...scopes].join(' '),
        state,
        nonce,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        // Core 1.0 §11: without it many servers give no refresh token.
        ...(scopes.has('offline_access') ? { prompt: 'consent' } : {}),
      }),
    );
    return url.href;
  }

  async function finish(flow: Remembered, query: URLSearchParams): Promise<ExternalIdentity> {
    const server = await connect(settings, secrets);
    const url = new URL(context.callbackUrl);
    url.search = query.toString();
    return await attempt(async () => {
      const tokens = await client.authorizationCodeGrant(server, url, {
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        pkceCodeVerifier: flow.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new ProviderRefusal('the provider sent no ID token');
      const { access_token: accessToken, refresh_token: refreshToken } = tokens;
      return await identityOf(server, claims.sub, { claims, accessToken, refreshToken });
    });
  }

  async function identityOf(
    server: client.Configuration,
    subject: string,
    { claims, accessToken, refreshToken }: Granted,
  ): Promise<ExternalIdentity> {
    const known = await completed(server, subject, { claims, accessToken });
    const principal = principalOf(context.id, 'user', subject);
    if (principal === null) throw new ProviderRefusal('the provider says no usable subject');
    const { login, display } = namesIn(known, settings, subject);
    return {
      principal,
      loginName: login,
      displayName: display,
      groups: groupsIn(known, settings.groupsClaim, context.id),
      grant: refreshToken === undefined ? null : JSON.stringify({ subject, refreshToken }),
    };
  }

  /** With what UserInfo adds, where the ID token lacks something; the ID token's word counts more, since it is signed. */
  async function completed(
    server: client.Configuration,
    subject: string,
    { claims, accessToken }: Pick<Granted, 'claims' | 'accessToken'>,
  ): Promise<Claims> {
    const wanted = [settings.groupsClaim, settings.nameClaim].filter((name) => name !== null);
    const isComplete = wanted.every((name) => claimAt(claims, name) !== undefined);
    if (isComplete || server.serverMetadata().userinfo_endpoint === undefined) return claims;
    return { ...(await client.fetchUserInfo(server, accessToken, subject)), ...claims };
  }

  async function refresh(principal: string, grant: string | null): Promise<Refreshed> {
    if (grant === null) {
      return { outcome: 'cannot_ask', detail: 'the provider gave no refresh token; they must sign in again' };
    }
    const { subject, refreshToken } = Grant.parse(JSON.parse(grant));
    try {
      const server = await connect(settings, secrets);
      const identity = await attempt(async () => {
        const tokens = await client.refreshTokenGrant(server, refreshToken);
        const claims = tokens.claims() ?? {};
        // Core 1.0 §12.2: the subject stays.
        if ('sub' in claims && claims['sub'] !== subject)
          throw new ProviderRefusal('the provider speaks of another person');
        return await identityOf(server, subject, {
          claims,
          accessToken: tokens.access_token,
          // RFC 6749 §6: a new one takes the place of the old.
          refreshToken: tokens.refresh_token ?? refreshToken,
        });
      });
      if (identity.principal !== principal) return { outcome: 'gone', detail: 'the grant is somebody else’s' };
      return { outcome: 'confirmed', identity };
    } catch (error) {
      if (error instanceof ProviderRefusal && error.cause === 'invalid_grant') {
        return { outcome: 'gone', detail: 'the provider no longer takes the refresh token' };
      }
      // A client that is no longer known, an answer that is not understood: says nothing of the person.
      throw error instanceof ProviderRefusal ? new ProviderUnavailable(error.message) : error;
    }
  }

  return {
    redirect: { begin, finish },
    test: async () => await probe(settings, secrets, context),
    refresh,
    // OpenID Connect has no directory.
    search: async () => [],
  };
}
