import type * as z from 'zod';
import { OutriderError } from '#schema/errors.ts';
import { believe } from '../../authn/bearer.ts';
import { sessionToken } from '../../authn/browser/cookie.ts';
import { requireOwnForm } from '../../authn/browser/origin.ts';
import { findCaller } from '../../store/rights/callers.ts';
import { byName, readForm } from '../../form.ts';
import type { Deps, KnownCaller } from '../handler.ts';
import { judge } from '../permission.ts';

/**
 * Who looks at a page: by the cookie of a session that may do anything its person may. Null: nobody is signed in. A page shows and asks; whatever it does needs a form, and that
 * {@link formOf} checks.
 */
export async function visitor(request: Request, { db, config, now, named }: Deps): Promise<KnownCaller | null> {
  try {
    const token = sessionToken(request.headers.get('cookie') ?? '');
    if (token === null) return null;
    const principal = await believe(token, config, now);
    const facts = await findCaller(db, { user: principal.user, token: principal.token, cluster: null });
    judge({ who: 'person', scope: 'anything' }, principal, facts, null);
    if (facts === null || facts.session === null) return null;
    named({ id: principal.user, username: facts.username });
    return { principal, facts };
  } catch (error) {
    if (error instanceof OutriderError) return null;
    throw error;
  }
}

/** @throws OutriderError bad_request */
function shaped<T extends z.ZodType>(schema: T, parameters: URLSearchParams): z.output<T> {
  const parsed = schema.safeParse(byName(parameters));
  if (parsed.success) return parsed.data;
  const place = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new OutriderError('bad_request', `the parameter ${place} is missing, too long or not valid`);
}

/** The query of a page. @throws OutriderError bad_request */
export function queryOf<T extends z.ZodType>(schema: T, request: Request): z.output<T> {
  return shaped(schema, new URL(request.url).searchParams);
}

/** A form that one of our own pages sent. @throws OutriderError cross_origin; bad_request */
export async function formOf<T extends z.ZodType>(
  schema: T,
  request: Request,
  { config }: Pick<Deps, 'config'>,
): Promise<z.output<T>> {
  requireOwnForm(request, config.publicUrl);
  return shaped(schema, await readForm(request));
}

/** Longest address that a sign-in leads back to: that of a program's consent page fits. */
const MAX_RETURN_TO = 2048;

/**
 * Where a sign-in leads back to: a path of this plane, and nothing that any browser takes for another host (`//host`, `/\host`, a scheme, what a tab or a line break hides). Null:
 * it is none.
 */
export function localPath(text: string, origin: string): string | null {
  if (text.length > MAX_RETURN_TO || !/^\/(?![/\\])[\x21-\x5B\x5D-\x7E]*$/.test(text)) return null;
  const url = URL.canParse(text, origin) ? new URL(text, origin) : null;
  // Dots are resolved here, so that `/.//host` is seen as what a browser makes of it.
  if (url === null || url.origin !== origin || url.pathname.startsWith('//')) return null;
  return url.pathname + url.search;
}

/** To the sign-in form and back. */
export const signInFor = (path: string): string => `/login?returnTo=${encodeURIComponent(path)}`;
