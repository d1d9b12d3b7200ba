import { randomBase32 } from '#schema/ids.ts';
import { describeError, log } from '../log.ts';
import type { Commit } from '../store/rights/access.ts';

/** The dispatcher as a change of access needs it. */
export interface Announced {
  arm(change: string): Promise<void>;
  kick(change: string): Promise<void>;
}

/** Where changes of access are committed. */
export interface CommitDeps {
  readonly db: D1Database;
  /** A new stub each time. */
  dispatcher(): Announced;
  /** Lets work go on after the answer. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Commits changes of access such that the clusters hear of them: the dispatcher's alarm is armed before the commit, and kicked after it. Without a
 * dispatcher nothing is committed, so that no revocation is ever acknowledged that could be lost.
 *
 * After an error nothing is kicked: the batch may be committed all the same, even later, so the dispatcher goes on looking for it until it cannot come any more.
 */
export function announcedCommit(deps: CommitDeps): Commit {
  return async (statements) => {
    const change = randomBase32(16);
    await deps.dispatcher().arm(change);
    const results = await deps.db.batch(statements);
    deps.waitUntil(kick(deps, change));
    return results;
  };
}

async function kick(deps: CommitDeps, change: string): Promise<void> {
  try {
    await deps.dispatcher().kick(change);
  } catch (error) {
    log('warn', 'the dispatcher was not reached; its alarm will deliver', { error: describeError(error) });
  }
}
