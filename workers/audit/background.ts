import { atStage } from '#schema/audit/event.ts';
import { refreshUser } from '#schema/api/providers/principals.ts';
import { randomBase32 } from '#schema/ids.ts';
import { addEventIfChanged, takeUpkeep } from '../store/audit.ts';
import type { Commit } from '../store/rights/access.ts';
import { changes } from '../store/rows.ts';
import { planeEvent } from './plane.ts';

/** Who asks providers about people when nobody does. */
const REFRESHER = { username: 'outrider:refresher' } as const;

/** What a commit of the plane's own accord works with. */
interface BackgroundDeps {
  readonly db: D1Database;
  readonly commit: Commit;
  /** Rows of the window. */
  readonly rows: number;
  /** Has the window looked after. */
  auditUpkeep(): void;
}

/** How what a provider's word changes gets into the audit log. */
export interface Witnessed {
  readonly commit: Commit;
  /** Keeps the event, if the statement before it in the same commit has changed a row. */
  readonly event: D1PreparedStatement;
}

/**
 * For what a provider's word changes while nobody asks: the event of somebody who has asked for that person to be refreshed, for the same transaction.
 * @param now epoch seconds
 */
export function witnessedRefresh(deps: BackgroundDeps, userId: string, now: number): Witnessed {
  const { db, commit, rows } = deps;
  const begun = planeEvent({
    endpoint: refreshUser,
    level: 'Metadata',
    requestId: randomBase32(16),
    user: REFRESHER,
    address: null,
    userAgent: null,
    at: now * 1000,
    input: { params: { user: userId }, query: {}, body: {} },
  });
  return {
    event: addEventIfChanged(db, atStage(begun, 'ResponseComplete', refreshUser.status, now * 1000)),
    commit: async (statements) => {
      const results = await commit([...statements, takeUpkeep(db, { now, rows })]);
      if (changes(results.at(-1)) > 0) deps.auditUpkeep();
      return results.slice(0, statements.length);
    },
  };
}
