import type { Access } from '#schema/api/providers/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { newUserId } from '#schema/ids.ts';
import type { Config } from '../../../env.ts';
import type { Commit } from '../../../store/rights/access.ts';
import { addExternalUser, keepWord, readAdmission, type Word } from '../../../store/providers/memberships.ts';
import { findPrincipal, type UserPrincipal } from '../../../store/providers/principals.ts';
import type { Provider } from '../../../store/providers/providers.ts';
import type { ExternalIdentity } from '../provider.ts';
import { sealGrant } from '../sealed.ts';
import { refreshAfter } from './schedule.ts';
import { usernamesFor } from './username.ts';

/** What signing somebody in needs. */
export interface SignInDeps {
  readonly db: D1Database;
  readonly config: Config;
  readonly commit: Commit;
  /** Epoch seconds. */
  readonly now: number;
  /** Somebody is due to be asked for at that moment, epoch seconds. */
  armRefresher(at: number): Promise<void>;
  /** Hears who it is, also where they are then refused. */
  named(user: { readonly id: string; readonly username: string }): void;
}

/** Somebody whom the plane lets in. */
export interface SignedIn {
  readonly userId: string;
  /** Issue what they get at this moment or later, epoch seconds: earlier is dead already. */
  readonly issueAt: number;
}

const refused = (detail: string): OutriderError => new OutriderError('sign_in_refused', detail);

/** Whether access lets somebody in whom the plane does not know yet. */
function admits(access: Access, identity: Pick<ExternalIdentity, 'principal' | 'groups'>): boolean {
  if (access.mode === 'anyone') return true;
  const listed = new Set(access.principals);
  if (access.mode === 'users') return listed.has(identity.principal);
  return identity.groups.some(({ principal }) => listed.has(principal));
}

/**
 * Takes a provider's word on who somebody is: keeps their groups, makes a person of them at their first sign-in, and says whether they may come in. Any flow ends here, whatever its
 * kind. Who is joined to whom is by principal alone, never by a name or an address of mail.
 * @throws OutriderError sign_in_refused
 */
export async function admit(deps: SignInDeps, provider: Provider, identity: ExternalIdentity): Promise<SignedIn> {
  const { db, now } = deps;
  // Before it is kept, so that nobody is ever due unheard.
  await deps.armRefresher(refreshAfter(provider, { now, hasGrant: identity.grant !== null }));
  const known = await findPrincipal(db, identity.principal);
  if (known === null) await welcome(deps, provider, identity);
  else await keepWord(db, deps.commit, await wordOf(deps, provider, identity, known), { before: known, claim: null });
  const facts = await readAdmission(db, identity.principal);
  if (facts !== null) deps.named({ id: facts.userId, username: facts.username });
  if (facts === null || !facts.admitted) throw refused('you may not sign in here with this account');
  if (!facts.userEnabled) throw refused('this account is disabled');
  return { userId: facts.userId, issueAt: Math.max(now, facts.notBefore) };
}

async function wordOf(
  { config, now }: SignInDeps,
  provider: Provider,
  identity: ExternalIdentity,
  { userId, createdAt }: Pick<UserPrincipal, 'userId' | 'createdAt'>,
): Promise<Word> {
  const row = {
    principal: identity.principal,
    userId,
    provider: provider.id,
    loginName: identity.loginName,
    displayName: identity.displayName,
    grant: await sealGrant(config, identity.principal, identity.grant),
    gone: false,
    createdAt,
    confirmedAt: now,
    refreshAt: refreshAfter(provider, { now, hasGrant: identity.grant !== null }),
  };
  return { row, groups: identity.groups, now };
}

/** Makes a person, whom nobody has invited but whom access admits. */
async function welcome(deps: SignInDeps, provider: Provider, identity: ExternalIdentity): Promise<void> {
  if (!admits(provider.access, identity)) throw refused('you may not sign in here with this account');
  const word = await wordOf(deps, provider, identity, { userId: newUserId(), createdAt: deps.now });
  for (const username of usernamesFor(identity.loginName)) {
    // Made by another browser of theirs in the same moment: they are whom that made.
    if ((await addExternalUser(deps.db, deps.commit, word, username)) !== 'username') return;
  }
  throw new OutriderError('conflict', 'no name is free for this account; ask an administrator');
}
