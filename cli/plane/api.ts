import { Client } from '#schema/api/client.ts';
import type { Io } from '../io.ts';
import { refusalOf } from './failures.ts';
import { asking, type Target } from './http.ts';

/** How a plane is asked. */
interface Manner {
  /** How long each answer is waited for, ms. */
  readonly timeoutMs?: number | undefined;
  /** What to tell a person whose token is not good; default: to sign in. */
  readonly tokenHint?: string | undefined;
}

/** The management API of a plane, asked as somebody or as nobody. What it throws is a {Failure}: a `Refusal` where there was an answer. */
export function planeApi(
  io: Pick<Io, 'env' | 'signal'>,
  target: Target,
  { timeoutMs, tokenHint }: Manner = {},
): Client {
  const { origin, token } = target;
  return new Client({
    origin,
    ask: asking(io, target, timeoutMs),
    headers: () => (token === undefined ? {} : { authorization: `Bearer ${token}` }),
    failure: (error) => refusalOf(origin, error, tokenHint),
  });
}

/** As many items as the plane gives at once: what is wanted whole is fetched in few pages. */
export const LARGE_PAGES = { limit: '500' } as const;

/** All of a list. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
