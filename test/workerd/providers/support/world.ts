import { env, exports } from 'cloudflare:workers';
import { vi } from 'vitest';
import { GitHub } from '#test/support/github/github.ts';
import { SESSION_COOKIE } from '#workers/authn/browser/cookie.ts';
import { administrator, ask, ORIGIN, type Answer } from '../../management/client.ts';
import { CLIENT, OidcProvider } from './oidc.ts';

/** A plane with two providers behind `fetch`, and its administrator. */
export class World {
  readonly oidc: OidcProvider;
  readonly gitHub: GitHub;
  readonly token: string;
  /** Every text that was sent out or logged. */
  readonly logged: string[] = [];

  private constructor(oidc: OidcProvider, gitHub: GitHub, token: string) {
    this.oidc = oidc;
    this.gitHub = gitHub;
    this.token = token;
  }

  /** An empty database, both providers made and enabled. */
  static async make(): Promise<World> {
    // Not a reset of all storage, which would cut off what the objects of the last test are at.
    const tables = [
      'providers',
      'users',
      'user_groups',
      'finished_flows',
      'clusters',
      'registration_tokens',
      'global_role_bindings',
    ];
    await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
    const gitHub = new GitHub({
      clientId: 'Iv1.outrider',
      clientSecret: 'github-client-secret',
      callbackUrl: `${ORIGIN}/v1/auth/providers/github/callback`,
    });
    // Each world has an issuer of its own: an isolate remembers discovered documents.
    const oidc = await OidcProvider.make(`https://${crypto.randomUUID()}.example.com`);
    const world = new World(oidc, gitHub, await administrator());
    vi.spyOn(console, 'log').mockImplementation((line: unknown) => void world.logged.push(String(line)));
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init);
      const { host, origin } = new URL(request.url);
      if (origin === oidc.issuer) return await oidc.handle(request);
      if (host === 'github.com' || host === 'api.github.com') return await gitHub.handle(request);
      throw new Error(`nobody is at ${host}`);
    });
    await world.add('oidc', { type: 'oidc', issuer: oidc.issuer, ...CLIENT, scopes: ['profile', 'offline_access'] });
    await world.add('github', { type: 'github', clientId: gitHub.app.clientId, clientSecret: gitHub.app.clientSecret });
    return world;
  }

  async ask(what: string, body?: unknown): Promise<Answer> {
    return await ask(what, { token: this.token, ...(body === undefined ? {} : { body }) });
  }

  /** Makes, tests and enables a provider. */
  async add(id: string, config: object, more: object = {}): Promise<void> {
    const path = `/v1/auth/providers`;
    for (const step of [
      await this.ask(`POST ${path}`, {
        metadata: { name: id },
        spec: { displayName: `The ${id}`, config, ...more },
      }),
      await this.ask(`POST ${path}/${id}/test`),
      await this.ask(`POST ${path}/${id}/enable`),
    ]) {
      if (step.status >= 400 || testedOf(step) === 'False') throw new Error(`${id}: ${step.text}`);
    }
  }

  /** A person signs in with a browser of their own. */
  async signIn(provider: 'oidc' | 'github', who: string): Promise<Answer> {
    const browser = new Browser();
    return await browser.open(this.authorized(provider, who, await browser.start(provider)));
  }

  /** The provider's own page: where it sends the browser back to. */
  authorized(provider: 'oidc' | 'github', who: string, start: Answer): Promise<string> | string {
    const location = start.headers.get('location') ?? '';
    if (provider === 'oidc') return this.oidc.authorize(location, who);
    this.gitHub.signedInAs = who;
    return this.gitHub.handle(new Request(location)).then((response) => response.headers.get('location') ?? '');
  }
}

/** What the condition `Tested` of a provider says. */
export const testedOf = ({ json }: Answer): string =>
  json.status.conditions.find(({ type }: { type: string }) => type === 'Tested').status;

/** What a browser has that was signed in and sent on. */
async function signedIn(token: string, response: Response): Promise<unknown> {
  const { json } = await ask('GET /v1/me', { token });
  return { token, user: json?.user, returnTo: response.headers.get('location') };
}

/** A browser, as far as cookies and redirects go. */
export class Browser {
  readonly cookies = new Map<string, string>();

  async start(provider: string, query = ''): Promise<Answer> {
    return await this.open(`${ORIGIN}/v1/auth/providers/${provider}/start${query}`);
  }

  /** Follows nothing: the test says where to go. */
  async open(address: string | Promise<string>, headers: Record<string, string> = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await exports.default.fetch(await address, {
      redirect: 'manual',
      headers: cookie === '' ? headers : { cookie, ...headers },
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
    const session = response.status === 303 ? this.cookies.get(SESSION_COOKIE) : undefined;
    const json = session === undefined ? (isJson ? JSON.parse(text) : null) : await signedIn(session, response);
    return { status: response.status, headers: response.headers, text, json };
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/Max-Age=0(;|$)/.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
