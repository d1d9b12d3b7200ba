import { atStage, refused, type AuditEvent } from '#schema/audit/event.ts';
import { errorRow, OutriderError, type ErrorCode } from '#schema/errors.ts';
import { describeError, log } from '../log.ts';
import { OAuthError } from '../oauth.ts';
import { codeOf } from '../problem.ts';
import type { Commit } from '../store/rights/access.ts';
import { addEventIfChanged, landAnswer } from '../store/audit.ts';
import { changes } from '../store/rows.ts';
import { plainStatements, witnessed } from '../store/writes.ts';
import { userOf } from './events.ts';
import { planeEvent, withResult, type PlaneCall } from './plane.ts';

/** Hears who it turned out to be that calls: at a sign-in from the endpoint itself. */
export type Named = (user: { readonly id: string; readonly username: string; readonly token?: string }) => void;

/** What recording asks for. */
export interface RecordDeps {
  readonly db: D1Database;
  readonly commit: Commit;
  /** Rows of the window. */
  readonly rows: number;
  /** Epoch ms. */
  now(): number;
  /** Has the window looked after. */
  upkeep(): void;
  /** Writes down a refusal, if there are not too many. */
  refused(event: AuditEvent): void;
}

/** What a handler is given in the place of the plane's own. */
export interface Recorded {
  readonly db: D1Database;
  readonly commit: Commit;
  readonly named: Named;
}

/** A sign-in that failed for its password: each is written, since a throttle bounds them. It bounds no others: an attempt with the right password is taken back, whatever else is wrong with it. */
const FAILED_SIGN_IN: ErrorCode = 'invalid_credentials';

/** Refused for who asks, or for how often: RFC 9110 §15.5.2, §15.5.4, RFC 6585 §4. */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 429]);

/**
 * Runs a handler such that what it changes is in the audit log: in the transaction of each change the event of its beginning, and before anybody is answered the event of its end, which takes the
 * place of the other. Who is given this database and this commit cannot change anything without it.
 * @throws what the handler throws; OutriderError audit_unavailable where its end could not be written, and nothing else of it was
 */
export async function recorded<T>(call: PlaneCall, deps: RecordDeps, run: (given: Recorded) => Promise<T>): Promise<T> {
  let event = planeEvent(call);
  const { uid } = event.user;
  let changed = false;
  const db = witnessed(deps.db, { event: () => event, changed: () => (changed = true) });
  const commit: Commit = async (statements) => {
    const witness = addEventIfChanged(deps.db, event);
    const results = await deps.commit(plainStatements(statements).flatMap((statement) => [statement, witness]));
    const own = results.filter((_, at) => at % 2 === 0);
    if (own.some((result) => changes(result) > 0)) changed = true;
    return own;
  };
  const named: Named = (user) => {
    if (uid === undefined) event = { ...event, user: userOf(user) };
  };
  /** Whether a stranger could cause any number of these. */
  const idle = (): boolean => event.user.uid === undefined && call.endpoint.who !== 'operator' && !changed;
  const land = async (ended: AuditEvent): Promise<void> => {
    const landing = { now: Math.floor(deps.now() / 1000), rows: deps.rows };
    if (await landAnswer(deps.db, ended, landing)) deps.upkeep();
  };

  let result: T;
  try {
    result = await run({ db, commit, named });
  } catch (error) {
    const code = codeOf(error);
    const status = error instanceof OAuthError ? error.status : errorRow(code).status;
    const now = deps.now();
    if (!changed && code === FAILED_SIGN_IN) await land(refused(event, code, status, now)).catch(unwritten);
    else if (!changed && REFUSED.has(status)) deps.refused(refused(event, code, status, now));
    else if (!idle()) await land(atStage(event, 'ResponseComplete', status, now)).catch(unwritten);
    throw error;
  }
  if (idle()) return result;
  try {
    await land(atStage(withResult(event, result), 'ResponseComplete', call.endpoint.status, deps.now()));
  } catch (error) {
    unwritten(error);
    if (!changed) throw new OutriderError('audit_unavailable', 'the audit log cannot be written; try again');
  }
  return result;
}

function unwritten(error: unknown): void {
  log('error', 'an audit event could not be written', { error: describeError(error) });
}
