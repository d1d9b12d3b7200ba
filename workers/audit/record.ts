import { atStage, type AuditEvent } from '#schema/audit/event.ts';
import { errorRow, OutriderError, type ErrorCode } from '#schema/errors.ts';
import { describeError, log } from '../log.ts';
import { codeOf } from '../problem.ts';
import type { Commit } from '../store/rights/access.ts';
import { addEvents, landAnswer } from '../store/audit.ts';
import { userOf } from './events.ts';
import { planeEvent, withResult, type PlaneCall } from './plane.ts';

/** Hears who it turned out to be that calls, where the endpoint itself finds out: at a sign-in. */
export type Named = (user: { readonly id: string; readonly username: string }) => void;

/** What recording asks for. */
export interface RecordDeps {
  readonly db: D1Database;
  readonly commit: Commit;
  /** Epoch ms. */
  now(): number;
  /** This call is to look after the window, after its answer. */
  upkeep(): void;
}

/** What a handler is given in the place of the plane's own. */
export interface Recorded {
  readonly commit: Commit;
  readonly named: Named;
}

/** Of strangers, who could fill the log, only what changes something is written, and of the rest what a throttle bounds. */
const STRANGERS: ReadonlySet<ErrorCode> = new Set(['invalid_credentials', 'password_change_required']);

/**
 * Runs a handler such that what it changes is in the audit log: in the batch of its commit the event of its beginning, and before anybody is answered the event of its end, which takes the place
 * of the other.
 * @throws what the handler throws; OutriderError audit_unavailable where something was changed, its end could not be written, and neither was its beginning
 */
export async function recorded<T>(call: PlaneCall, deps: RecordDeps, run: (given: Recorded) => Promise<T>): Promise<T> {
  let event = planeEvent(call);
  const { uid } = event.user;
  let committed = false;
  const commit: Commit = async (statements) => {
    const results = await deps.commit([...statements, addEvents(deps.db, [event])]);
    committed = true;
    return results.slice(0, statements.length);
  };
  const named: Named = (user) => {
    if (uid === undefined) event = { ...event, user: userOf(user) };
  };
  /** Whether a stranger could cause any number of these. */
  const idle = (): boolean => event.user.uid === undefined && call.endpoint.who !== 'operator' && !committed;
  const land = async (ended: AuditEvent): Promise<void> => {
    if (await landAnswer(deps.db, ended, Math.floor(deps.now() / 1000))) deps.upkeep();
  };

  let result: T;
  try {
    result = await run({ commit, named });
  } catch (error) {
    const code = codeOf(error);
    if (!idle() || STRANGERS.has(code)) {
      await land(atStage(event, 'ResponseComplete', errorRow(code).status, deps.now())).catch(unwritten);
    }
    throw error;
  }
  if (idle()) return result;
  try {
    await land(atStage(withResult(event, result), 'ResponseComplete', call.endpoint.status, deps.now()));
  } catch (error) {
    unwritten(error);
    if (!committed) throw new OutriderError('audit_unavailable', 'the audit log cannot be written; try again');
  }
  return result;
}

function unwritten(error: unknown): void {
  log('error', 'an audit event could not be written', { error: describeError(error) });
}
