import { describeError, log } from '../log.ts';
import { recordUse, USE_RECORDED_SECONDS } from '../store/sign-in/tokens.ts';

/** Tokens whose last recorded use an isolate remembers, oldest out. */
const MAX_NOTED = 4096;

const noted = new Map<string, number>();

/**
 * Notes when and whence a token was last used, as its list shows it: once in several minutes for each isolate, and the database takes it once in as many from all of them. It
 * holds up no answer, and where the database is away it is left out.
 * @param from the address, as throttles count it; null: not known
 * @param now epoch seconds
 */
export function noteUse(
  { db, waitUntil }: { db: D1Database; waitUntil: (work: Promise<unknown>) => void },
  token: string,
  from: string | null,
  now: number,
): void {
  const last = noted.get(token);
  if (last !== undefined && now - last < USE_RECORDED_SECONDS) return;
  noted.delete(token);
  const oldest = noted.keys().next();
  if (noted.size >= MAX_NOTED && oldest.done !== true) noted.delete(oldest.value);
  noted.set(token, now);
  waitUntil(
    recordUse(db, { id: token, from, now }).catch((error: unknown) =>
      log('warn', 'the use of a token was not recorded', { error: describeError(error) }),
    ),
  );
}
