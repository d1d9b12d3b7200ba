// A stand-in for GitHub that keeps to its documented API: "Authorizing OAuth apps", "REST API endpoints for users, organizations and teams", "Using pagination in
// the REST API", "Rate limits for the REST API". Made of web APIs alone, so that it runs in Node behind a server and in workerd behind `fetch`.

/** An account. */
export interface Account {
  readonly id: number;
  login: string;
  name: string | null;
  /** Organisations, by login. */
  readonly orgs: Set<string>;
  /** Teams, as `org/slug`. */
  readonly teams: Set<string>;
}

/** An OAuth App that is registered. */
export interface App {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly callbackUrl: string;
}

interface Code {
  readonly login: string;
  readonly scope: string;
  readonly challenge: string | null;
  readonly redirectUri: string;
}

/** How the API is not in order. */
export type Trouble = 'primary limit' | 'secondary limit' | 'too many requests' | 'outage' | 'not its API' | null;

const base64url = (bytes: ArrayBuffer): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  Response.json(value, { status, headers: { 'x-github-media-type': 'github.v3; format=json', ...headers } });

export class GitHub {
  readonly app: App;
  readonly accounts = new Map<string, Account>();
  readonly orgIds = new Map<string, number>();
  readonly teamIds = new Map<string, number>();
  /** Who is signed in at GitHub's own page, in the browser that comes. */
  signedInAs: string | null = null;
  /** Whether it asks the person on a page of its own first, as it does until they have authorised an app once. */
  asks = false;
  /** What the person leaves of the scopes that were asked for; null: all. */
  grantedScope: string | null = null;
  trouble: Trouble = null;
  /** Replaces the address of next pages. */
  nextPage: ((url: URL) => string) | null = null;
  /** Every request to the API, `METHOD path`. */
  readonly calls: string[] = [];
  readonly #codes = new Map<string, Code>();
  readonly #tokens = new Map<string, { login: string; scope: string }>();
  #count = 0;

  constructor(app: App) {
    this.app = app;
  }

  addAccount(
    login: string,
    { name = null, orgs = [], teams = [] }: { name?: string | null; orgs?: string[]; teams?: string[] } = {},
  ): Account {
    for (const org of [...orgs, ...teams.map((team) => team.split('/')[0] ?? '')]) this.#idOf(this.orgIds, org);
    for (const team of teams) this.#idOf(this.teamIds, team);
    const account = { id: 1000 + this.accounts.size, login, name, orgs: new Set(orgs), teams: new Set(teams) };
    this.accounts.set(login, account);
    return account;
  }

  #idOf(ids: Map<string, number>, name: string): number {
    const id = ids.get(name) ?? ids.size + 1;
    ids.set(name, id);
    return id;
  }

  /** The person takes back what they granted to the app. */
  revoke(login: string): void {
    for (const [token, grant] of this.#tokens) if (grant.login === login) this.#tokens.delete(token);
  }

  /** Whether a text holds a token that is good. */
  holdsToken(text: string): boolean {
    return [...this.#tokens.keys()].some((token) => text.includes(token));
  }

  async handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === '/login/oauth/authorize') return this.#authorize(url, request.method);
    if (this.trouble === 'outage') return new Response('<html>Unicorn!</html>', { status: 503 });
    if (this.trouble === 'not its API') return new Response('<html>Welcome</html>', { status: 200 });
    if (url.pathname === '/login/oauth/access_token') return await this.#exchange(request);
    this.calls.push(`${request.method} ${url.pathname}`);
    return this.#limited() ?? this.#api(request, url);
  }

  #limited(): Response | null {
    const reset = String(Math.floor(Date.now() / 1000) + 1800);
    if (this.trouble === 'primary limit') {
      const headers = { 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
      return json({ message: 'API rate limit exceeded for user ID 1.' }, 403, headers);
    }
    if (this.trouble === 'secondary limit') return json({ message: 'You have exceeded a secondary rate limit.' }, 403);
    if (this.trouble === 'too many requests')
      return json({ message: 'Too many requests' }, 429, { 'retry-after': '60' });
    return null;
  }

  #authorize(url: URL, method: string): Response {
    const query = url.searchParams;
    const redirectUri = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== this.app.clientId || redirectUri !== this.app.callbackUrl) {
      return new Response('unknown app', { status: 404 });
    }
    if (this.asks && method === 'GET') {
      const page =
        '<!doctype html><title>Authorize</title><form method="post"><button>Authorize Outrider</button></form>';
      return new Response(page, { headers: { 'content-type': 'text/html' } });
    }
    const back = new URL(redirectUri);
    back.searchParams.set('state', query.get('state') ?? '');
    if (this.signedInAs === null) {
      back.searchParams.set('error', 'access_denied');
    } else {
      const code = `code-${++this.#count}-${crypto.randomUUID()}`;
      this.#codes.set(code, {
        login: this.signedInAs,
        scope: this.grantedScope ?? query.get('scope') ?? '',
        challenge: query.get('code_challenge'),
        redirectUri,
      });
      back.searchParams.set('code', code);
    }
    return new Response(null, { status: 302, headers: { location: back.href } });
  }

  async #exchange(request: Request): Promise<Response> {
    const form = new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()));
    if (form.get('client_id') !== this.app.clientId || form.get('client_secret') !== this.app.clientSecret) {
      return json({ error: 'incorrect_client_credentials' });
    }
    const name = form.get('code') ?? '';
    const code = this.#codes.get(name);
    this.#codes.delete(name);
    if (code === undefined) return json({ error: 'bad_verification_code' });
    if (code.redirectUri !== form.get('redirect_uri')) return json({ error: 'redirect_uri_mismatch' });
    if (code.challenge !== null) {
      const verifier = new TextEncoder().encode(form.get('code_verifier') ?? '');
      if (base64url(await crypto.subtle.digest('SHA-256', verifier)) !== code.challenge) {
        return json({ error: 'bad_verification_code' });
      }
    }
    const token = `gho_${crypto.randomUUID().replaceAll('-', '')}`;
    this.#tokens.set(token, { login: code.login, scope: code.scope });
    return json({ access_token: token, token_type: 'bearer', scope: code.scope });
  }

  #api(request: Request, url: URL): Response {
    const path = url.pathname.replace(/^\/api\/v3/, '');
    const authorization = request.headers.get('authorization') ?? '';
    if (path === '/search/users') return this.#search(url, authorization);
    const grant = this.#tokens.get(authorization.replace(/^(Bearer|token) /i, ''));
    const account = grant === undefined ? undefined : this.accounts.get(grant.login);
    if (grant === undefined || account === undefined) return json({ message: 'Bad credentials' }, 401);
    if (path === '/user') return json({ id: account.id, login: account.login, name: account.name, type: 'User' });
    if (path === '/user/orgs') {
      return this.#page(
        url,
        [...account.orgs].map((login) => ({ id: this.#idOf(this.orgIds, login), login })),
      );
    }
    if (path === '/user/teams') {
      if (!grant.scope.includes('read:org')) return json({ message: 'Resource not accessible' }, 403);
      return this.#page(
        url,
        [...account.teams].map((team) => this.#team(team)),
      );
    }
    return json({ message: 'Not Found' }, 404);
  }

  #team(team: string) {
    const [org = '', slug = ''] = team.split('/');
    return {
      id: this.#idOf(this.teamIds, team),
      name: slug,
      slug,
      organization: { id: this.#idOf(this.orgIds, org), login: org },
    };
  }

  #page(url: URL, items: readonly unknown[]): Response {
    const size = Math.min(Number(url.searchParams.get('per_page') ?? 30), 100);
    const page = Number(url.searchParams.get('page') ?? 1);
    const next = new URL(url);
    next.searchParams.set('page', String(page + 1));
    const link =
      page * size < items.length
        ? { link: `<${this.nextPage?.(next) ?? next.href}>; rel="next", <${url.href}>; rel="first"` }
        : { link: `<${url.href}>; rel="first"` };
    return json(items.slice((page - 1) * size, page * size), 200, link);
  }

  #search(url: URL, authorization: string): Response {
    if (authorization !== `Basic ${btoa(`${this.app.clientId}:${this.app.clientSecret}`)}`) {
      return json({ message: 'Bad credentials' }, 401);
    }
    const [word = ''] = (url.searchParams.get('q') ?? '').split(' ');
    const people = [...this.accounts.values()].map(({ id, login }) => ({ id, login, type: 'User' }));
    const orgs = [...this.orgIds].map(([login, id]) => ({ id, login, type: 'Organization' }));
    const items = [...people, ...orgs].filter(({ login }) => login.includes(word));
    return json({ total_count: items.length, incomplete_results: false, items });
  }
}
