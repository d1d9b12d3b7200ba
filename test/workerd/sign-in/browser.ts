import { env, exports } from 'cloudflare:workers';
import { newTokenId, newUserId } from '#schema/ids.ts';
import { SESSION_COOKIE } from '#workers/authn/browser/cookie.ts';
import { hashPassword } from '#workers/authn/password.ts';
import { signToken } from '#workers/authn/token.ts';
import { addToken } from '#workers/store/sign-in/tokens.ts';
import { addUser } from '#workers/store/users.ts';
import { config, nowSeconds, ORIGIN, type Answer } from '../management/client.ts';

/** What a browser says of a script of the plane's own page that reads, and of one that writes. */
export const READS = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };
export const WRITES = { ...READS, origin: ORIGIN };

export const PASSWORD = 'a password of my own';

let hashed: string | undefined;

/** Adds somebody who signs in with {@link PASSWORD}. */
export async function personWithPassword(
  change: { username?: string; passwordPending?: boolean; administrator?: boolean } = {},
) {
  const id = newUserId();
  const username = change.username ?? `name-${id}`;
  await addUser(env.DB, async (statements) => await env.DB.batch(statements), {
    id,
    username,
    administrator: change.administrator ?? false,
    passwordHash: (hashed ??= hashPassword(PASSWORD)),
    passwordPending: change.passwordPending ?? false,
    createdAt: nowSeconds(),
  });
  return { id, username };
}

/** A session of a browser, as its sign-in left it. `rests`: for how long it was not used since. Seconds. */
export async function sessionOf(
  user: string,
  { rests = 0, idle = 7200, lives = 16 * 3600 }: { rests?: number; idle?: number; lives?: number } = {},
): Promise<{ id: string; token: string; cookie: string }> {
  const now = nowSeconds();
  const id = newTokenId();
  const row = {
    id,
    userId: user,
    kind: 'session',
    description: 'sign-in',
    cluster: null,
    readOnly: false,
    createdAt: now - rests,
    expiresAt: now - rests + lives,
    idleSeconds: idle,
  } as const;
  await addToken(env.DB, row);
  const token = await signToken(await config(), {
    user,
    token: id,
    issuedAt: row.createdAt,
    expiresAt: Math.min(now - rests + idle, row.expiresAt),
    cluster: null,
    readOnly: false,
    accessVersion: 0,
  });
  return { id, token, cookie: `${SESSION_COOKIE}=${token}` };
}

/** Asks the plane as a browser would, following nothing. */
export async function visit(
  what: string,
  { cookie, form, headers }: { cookie?: string; form?: Record<string, string>; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const [method = '', path = ''] = what.split(' ');
  const response = await exports.default.fetch(ORIGIN + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(cookie === undefined ? {} : { cookie }),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
  });
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, text, json };
}

/** A form of one of the plane's own pages, sent by its button. */
export async function submit(path: string, cookie: string | undefined, form: Record<string, string>): Promise<Answer> {
  return await visit(`POST ${path}`, {
    ...(cookie === undefined ? {} : { cookie }),
    form,
    headers: { origin: ORIGIN },
  });
}

/** The hidden fields of a page's form, as a browser reads them. */
export function hiddenFields(page: string): Record<string, string> {
  const fields = page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)" ?\/?>/g);
  const decode = (text: string): string =>
    text
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, decode(value)]));
}
