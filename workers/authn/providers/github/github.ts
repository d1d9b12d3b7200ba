import { calculatePKCECodeChallenge } from 'openid-client';
import * as z from 'zod';
import type { ProviderSecrets, ProviderSettings } from '#schema/api/providers/types.ts';
import { addressesOf, callGitHub, GrantGone, listGitHub, PAGE } from './api.ts';
import { askProvider } from '../outbound.ts';
import { groupsOf, principalOf, shownName } from '../principal.ts';
import {
  MAX_FOUND,
  ProviderRefusal,
  ProviderUnavailable,
  type Check,
  type Connector,
  type ConnectorContext,
  type ExternalIdentity,
  type Found,
  type Refreshed,
  type Remembered,
} from '../provider.ts';

type Settings = Extract<ProviderSettings, { type: 'github' }>;

/** Without it GitHub hides private organisations and all teams. */
const SCOPE = 'read:org';
/** Scopes that hold it (GitHub, "Scopes for OAuth apps"). */
const HOLD_SCOPE = new Set(['read:org', 'write:org', 'admin:org']);

const Id = z.int().positive();
const Login = z.string().min(1).max(256);
const User = z.object({ id: Id, login: Login, name: z.string().nullish() });
const Organisation = z.object({ id: Id, login: Login });
const Team = z.object({ id: Id, name: z.string(), organization: z.object({ login: Login }) });
const Account = z.object({ id: Id, login: Login, type: z.string() });

/** "Authorizing OAuth apps" and "Troubleshooting OAuth app access token request errors": errors come with 200. */
const TokenAnswer = z.union([
  z.object({ error: z.string().max(256) }),
  z.object({ access_token: z.string().min(1).max(1024), scope: z.string().default('') }),
]);

/** GitHub and GitHub Enterprise through an OAuth App; organisations and teams are groups. By number: names are given away and taken again. */
export function gitHub(settings: Settings, secrets: ProviderSecrets, context: ConnectorContext): Connector {
  const { web, api } = addressesOf(settings.hostname);
  const clientSecret = secrets['clientSecret'] ?? '';
  const principal = (kind: string, id: number): string | null => principalOf(context.id, kind, String(id));

  async function exchange(code: string, verifier: string): Promise<z.output<typeof TokenAnswer>> {
    const response = await askProvider(`${web}/login/oauth/access_token`, {
      method: 'POST',
      headers: { accept: 'application/json', 'user-agent': 'outrider' },
      body: new URLSearchParams({
        client_id: settings.clientId,
        client_secret: clientSecret,
        code,
        redirect_uri: context.callbackUrl,
        code_verifier: verifier,
      }),
    });
    const answer = TokenAnswer.safeParse(await response.json().catch(() => null));
    if (response.status !== 200 || !answer.success) throw new ProviderUnavailable(`GitHub answered ${response.status}`);
    return answer.data;
  }

  async function identityOf(token: string): Promise<ExternalIdentity> {
    const authorization = `Bearer ${token}`;
    const { value: user } = await callGitHub(`${api}/user`, authorization, User);
    const organisations = await listGitHub(`${api}/user/orgs?per_page=${PAGE}`, authorization, Organisation);
    const teams = await listGitHub(`${api}/user/teams?per_page=${PAGE}`, authorization, Team);
    const self = principal('user', user.id);
    if (self === null) throw new ProviderRefusal('GitHub says no usable id');
    return {
      principal: self,
      loginName: shownName(user.login),
      displayName: shownName(user.name ?? user.login),
      groups: groupsOf([
        ...organisations.map(({ id, login }) => ({ principal: principal('org', id), displayName: login })),
        ...teams.map((team) => ({
          principal: principal('team', team.id),
          displayName: `${team.organization.login}/${team.name}`,
        })),
      ]),
      grant: token,
    };
  }

  async function begin({ state, verifier }: Remembered): Promise<string> {
    const url = new URL(`${web}/login/oauth/authorize`);
    url.search = new URLSearchParams({
      client_id: settings.clientId,
      redirect_uri: context.callbackUrl,
      scope: SCOPE,
      state,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      allow_signup: 'false',
    }).toString();
    return url.href;
  }

  async function finish({ state, verifier }: Remembered, query: URLSearchParams): Promise<ExternalIdentity> {
    const code = query.get('code');
    if (query.get('state') !== state || query.has('error') || code === null) {
      throw new ProviderRefusal('GitHub sent no authorization');
    }
    const answer = await exchange(code, verifier);
    if ('error' in answer) throw new ProviderRefusal('GitHub did not take the code that it had sent');
    // People can take scopes away on GitHub's page: then teams would silently be missing.
    if (!answer.scope.split(/[\s,]+/).some((scope) => HOLD_SCOPE.has(scope))) {
      throw new ProviderRefusal(`GitHub was not allowed to tell organisations and teams (${SCOPE})`);
    }
    return await identityOf(answer.access_token);
  }

  async function test(): Promise<Check[]> {
    const name = 'credentials';
    try {
      // There is no such code, and GitHub says whether it knows the client before it looks at the code.
      const answer = await exchange('outrider-test', 'outrider-test-outrider-test-outrider-test-0');
      const code = 'error' in answer ? answer.error : 'a token for no code';
      if (code === 'bad_verification_code')
        return [{ name, ok: true, detail: 'GitHub knows the client and its secret' }];
      return [{ name, ok: false, detail: `GitHub answered ${shownName(code)}` }];
    } catch (error) {
      if (!(error instanceof ProviderUnavailable)) throw error;
      return [{ name, ok: false, detail: error.message }];
    }
  }

  async function refresh(whose: string, grant: string | null): Promise<Refreshed> {
    if (grant === null) return { outcome: 'cannot_ask', detail: 'they have not signed in yet' };
    try {
      const identity = await identityOf(grant);
      if (identity.principal === whose) return { outcome: 'confirmed', identity };
      return { outcome: 'gone', detail: 'the access that was granted is somebody else’s' };
    } catch (error) {
      if (error instanceof GrantGone) return { outcome: 'gone', detail: error.message };
      throw error instanceof ProviderRefusal ? new ProviderUnavailable(error.message) : error;
    }
  }

  /** As the OAuth App itself, which reads what is public. */
  async function search(query: string): Promise<Found[]> {
    const url = new URL(`${api}/search/users`);
    url.search = new URLSearchParams({
      q: `${query.replaceAll(/[":]/g, ' ')} in:login in:name`,
      per_page: String(MAX_FOUND),
    }).toString();
    const authorization = `Basic ${btoa(`${settings.clientId}:${clientSecret}`)}`;
    try {
      const { value } = await callGitHub(url.href, authorization, z.object({ items: z.array(Account).max(MAX_FOUND) }));
      return value.items.flatMap(({ id, login, type }) => {
        const isUser = type === 'User';
        const found = principal(isUser ? 'user' : 'org', id);
        return found === null
          ? []
          : [{ principal: found, kind: isUser ? 'user' : 'group', name: login, displayName: login }];
      });
    } catch (error) {
      throw error instanceof GrantGone ? new ProviderUnavailable(error.message) : error;
    }
  }

  return { redirect: { begin, finish }, test, refresh, search };
}
