import { witnessedRefresh, type Witnessed } from '../../../audit/background.ts';
import type { Config } from '../../../env.ts';
import { describeError, log } from '../../../log.ts';
import type { Commit } from '../../../store/rights/access.ts';
import { groupsFrom, keepWord, type Group, type Word } from '../../../store/providers/memberships.ts';
import {
  claimRefresh,
  duePrincipals,
  NEVER,
  nextRefresh,
  type UserPrincipal,
} from '../../../store/providers/principals.ts';
import { findProvider, type Provider } from '../../../store/providers/providers.ts';
import { type AskVia, ProviderUnavailable, type ExternalIdentity } from '../provider.ts';
import { holdsUntil, refreshAfter, retryAt } from './schedule.ts';
import { connectorOf, openGrant, sealGrant } from '../sealed.ts';

/** What asking providers about people needs. */
export interface RefreshDeps {
  readonly db: D1Database;
  readonly config: Config;
  readonly commit: Commit;
  /** Of a refresh that nobody asked for: put behind what changes a person's row. */
  readonly event?: D1PreparedStatement;
  readonly askDirectory: AskVia;
  /** Has the audit log's window looked after. */
  auditUpkeep(): void;
}

/** How asking about one person ended. */
export interface RefreshReport {
  readonly principal: string;
  readonly outcome: 'confirmed' | 'gone' | 'cannot_ask' | 'unavailable';
  readonly detail: string;
}

/** People in one run, each of which is a few requests to a provider and a few to the database; a Worker has 1,000 of either. */
const RUN = 25;
/** At once: some providers take many requests from one client for an attack. */
const LANES = 4;
/** How long one asks before another may, seconds: longer than the longest of answers. */
const CLAIM_SECONDS = 600;

/**
 * Asks providers about the people who are due, and keeps what they say. Level-triggered: what is due stands in the database, so being called twice, late or after a crash is all
 * the same. Returns when it must be called next (epoch seconds); null: nobody is to be asked for.
 */
export async function refreshMemberships(deps: RefreshDeps, now: number): Promise<number | null> {
  const due = await duePrincipals(deps.db, now, RUN);
  const queue = due.values();
  const witnessed = (row: UserPrincipal): Partial<Witnessed> =>
    deps.config.audit.level === 'None'
      ? {}
      : witnessedRefresh(
          { ...deps, auditUpkeep: () => deps.auditUpkeep(), rows: deps.config.audit.window.rows },
          row.userId,
          now,
        );
  const lane = async (): Promise<void> => {
    for (const row of queue) await refreshOne({ ...deps, ...witnessed(row) }, row, now);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const next = await nextRefresh(deps.db);
  return next === null ? null : Math.max(next, now);
}

/**
 * Asks a provider about one person now, whether they are due or not. What it says takes effect on the tokens that they have.
 */
export async function refreshOne(deps: RefreshDeps, row: UserPrincipal, now: number): Promise<RefreshReport> {
  const report = (outcome: RefreshReport['outcome'], detail: string): RefreshReport => ({
    principal: row.principal,
    outcome,
    detail,
  });
  const provider = await findProvider(deps.db, row.provider);
  if (provider === null || !provider.enabled) return report('unavailable', 'the provider is not enabled');
  const claim = now + CLAIM_SECONDS;
  if (!(await claimRefresh(deps.db, row, claim))) return report('unavailable', 'somebody else is asking');
  const keep = async (word: Word): Promise<boolean> =>
    await keepWord(deps.db, deps.commit, word, { before: row, claim, event: deps.event });
  try {
    const connector = await connectorOf(deps, provider);
    const answer = await connector.refresh(row.principal, await openGrant(deps.config, row));
    if (answer.outcome === 'confirmed') {
      await keep(await confirmed(deps, { provider, row, identity: answer.identity, now }));
      return report('confirmed', `${answer.identity.groups.length} groups`);
    }
    if (answer.outcome === 'cannot_ask' && now < holdsUntil(provider, row.confirmedAt)) {
      await keep({
        row: { ...row, refreshAt: holdsUntil(provider, row.confirmedAt) },
        groups: await held(deps, row),
        now,
      });
      return report('cannot_ask', answer.detail);
    }
    // Nothing is left to ask with, until they sign in again.
    await keep({ row: { ...row, gone: true, grant: null, refreshAt: NEVER }, groups: [], now });
    return report('gone', answer.detail);
  } catch (error) {
    const wait = error instanceof ProviderUnavailable ? error.retryAfter : null;
    const detail = error instanceof ProviderUnavailable ? error.message : 'internal error';
    log('warn', 'groups not refreshed', {
      principal: row.principal,
      error: error instanceof ProviderUnavailable ? detail : describeError(error),
    });
    // An outage is nobody's fault for a while; then nothing is known of them any more.
    const lapsed = now >= holdsUntil(provider, row.confirmedAt);
    const after = { ...row, gone: row.gone || lapsed, refreshAt: retryAt(now, wait) };
    await keep({ row: after, groups: lapsed ? [] : await held(deps, row), now });
    return report(lapsed ? 'gone' : 'unavailable', detail);
  }
}

async function held({ db }: RefreshDeps, row: UserPrincipal): Promise<Group[]> {
  const principals = await groupsFrom(db, row.userId, row.provider);
  return principals.map((principal) => ({ principal, displayName: '' }));
}

async function confirmed(
  { config }: RefreshDeps,
  { provider, row, identity, now }: { provider: Provider; row: UserPrincipal; identity: ExternalIdentity; now: number },
): Promise<Word> {
  return {
    row: {
      ...row,
      loginName: identity.loginName,
      displayName: identity.displayName,
      grant: await sealGrant(config, row.principal, identity.grant),
      gone: false,
      confirmedAt: now,
      refreshAt: refreshAfter(provider, { now, hasGrant: identity.grant !== null }),
    },
    groups: identity.groups,
    now,
  };
}
