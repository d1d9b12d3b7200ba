import * as z from 'zod';
import { askProvider } from '../outbound.ts';
import { ProviderRefusal, ProviderUnavailable } from '../provider.ts';

/** GitHub, "API Versions". */
const API_VERSION = '2022-11-28';
const MAX_PAGES = 10;
/** GitHub's largest page. */
export const PAGE = 100;

/** Where a GitHub is: github.com, GitHub Enterprise Cloud with data residency (`*.ghe.com`), or GitHub Enterprise Server. */
export function addressesOf(hostname: string): { web: string; api: string } {
  const web = `https://${hostname}`;
  if (hostname === 'github.com') return { web, api: 'https://api.github.com' };
  return { web, api: hostname.endsWith('.ghe.com') ? `https://api.${hostname}` : `${web}/api/v3` };
}

/** The grant was taken back, or the account is suspended: GitHub answers, and refuses. */
export class GrantGone extends ProviderRefusal {}

const ErrorBody = z.object({ message: z.string() }).catch({ message: '' });

/**
 * How a call went wrong (GitHub, "Rate limits for the REST API"): 429 and some 403 limit the rate, with `retry-after`, with `x-ratelimit-remaining: 0`, or, for a secondary limit,
 * in words alone. Those and 5xx say nothing about the person.
 */
async function failure(response: Response): Promise<Error> {
  const { status, headers } = response;
  const { message } = ErrorBody.parse(await response.json().catch(() => null));
  const limited =
    status === 429 ||
    (status === 403 &&
      (headers.has('retry-after') || headers.get('x-ratelimit-remaining') === '0' || /rate limit/i.test(message)));
  if (limited) return new ProviderUnavailable('GitHub limits how often it may be asked', waitOf(headers));
  if (status >= 500 || (status >= 300 && status < 400)) return new ProviderUnavailable(`GitHub answered ${status}`);
  if (status === 401) return new GrantGone('GitHub no longer takes the access that was granted');
  return new GrantGone(`GitHub refused with ${status}`);
}

/** Seconds. */
function waitOf(headers: Headers): number | null {
  const after = Number(headers.get('retry-after') ?? Number.NaN);
  if (Number.isFinite(after)) return after;
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
  return Number.isFinite(reset) ? Math.max(0, reset - Math.floor(Date.now() / 1000)) : null;
}

/** Asks GitHub's REST API. @throws ProviderUnavailable, GrantGone */
export async function callGitHub<T extends z.ZodType>(
  url: string,
  authorization: string,
  schema: T,
): Promise<{ value: z.output<T>; next: string | null }> {
  const response = await askProvider(url, {
    headers: {
      accept: 'application/vnd.github+json',
      authorization,
      'user-agent': 'outrider',
      'x-github-api-version': API_VERSION,
    },
  });
  if (response.status !== 200) throw await failure(response);
  const parsed = schema.safeParse(await response.json().catch(() => null));
  if (!parsed.success) throw new ProviderUnavailable('GitHub answered something that is not its API');
  return { value: parsed.data, next: nextPage(response.headers.get('link'), url) };
}

/**
 * The next page (RFC 8288 §3). Only at the same origin: an answer that names another host would have the person's access sent there.
 * @throws ProviderUnavailable
 */
export function nextPage(link: string | null, from: string): string | null {
  const target = /<([^>]{1,2048})>\s*;[^,]*\brel="?next"?/.exec(link ?? '')?.[1];
  if (target === undefined) return null;
  if (!URL.canParse(target, from) || new URL(target, from).origin !== new URL(from).origin) {
    throw new ProviderUnavailable('GitHub names a next page at another host');
  }
  return new URL(target, from).href;
}

/** A whole list. @throws ProviderUnavailable, GrantGone, ProviderRefusal: it is longer than any that is taken */
export async function listGitHub<T extends z.ZodType>(
  url: string,
  authorization: string,
  item: T,
): Promise<z.output<T>[]> {
  const items: z.output<T>[] = [];
  let next: string | null = url;
  for (let page = 0; next !== null; page++) {
    // Half a list would take groups away that somebody has.
    if (page === MAX_PAGES) throw new ProviderRefusal(`GitHub lists more than ${MAX_PAGES * PAGE} entries`);
    const answer: { value: z.output<T>[]; next: string | null } = await callGitHub(next, authorization, z.array(item));
    items.push(...answer.value);
    next = answer.next;
  }
  return items;
}
