import type { Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { newTokenId } from '#schema/ids.ts';
import { DEFAULT_TTL_SECONDS } from '#schema/api/account/tokens.ts';
import { signToken } from '../../authn/token.ts';
import { readSettings } from '../../store/settings.ts';
import { addToken, MAX_TOKENS_PER_USER, type FreshToken } from '../../store/sign-in/tokens.ts';
import type { Deps, KnownCaller } from '../handler.ts';

/** What a new token is to be. Moments: epoch seconds. */
export type NewToken = Omit<FreshToken, 'id'>;

/**
 * Makes a token and keeps what it is.
 * @param until epoch seconds, where the token is to end before its row does: it can be issued anew
 * @throws OutriderError conflict: its person has too many
 */
export async function mint(
  deps: Deps,
  token: NewToken,
  { until = token.expiresAt }: { until?: number } = {},
): Promise<{ row: FreshToken; token: string }> {
  const row: FreshToken = { ...token, id: newTokenId() };
  const accessVersion = await addToken(deps.db, row);
  if (accessVersion === null) {
    throw new OutriderError(
      'conflict',
      `a person has at most ${MAX_TOKENS_PER_USER} tokens that have not expired; revoked ones count until they do`,
    );
  }
  const principal: Principal = {
    user: row.userId,
    token: row.id,
    issuedAt: row.createdAt,
    expiresAt: until,
    cluster: row.cluster,
    readOnly: row.readOnly,
    accessVersion,
  };
  return { row, token: await signToken(deps.config, principal) };
}

/**
 * From when to when a token is good that `caller` asks for. It is never issued before their own, so what ended the older ones does not end it. And a session stands for a
 * person at a sign-in form, but any other token makes none that outlives it, or a stolen one could renew itself for ever. (A token on no list was signed by the operator,
 * who can sign any.)
 */
export function lifeFor(
  caller: KnownCaller,
  now: number,
  ttlSeconds: number,
): Pick<NewToken, 'createdAt' | 'expiresAt'> {
  const { principal, facts } = caller;
  const unbound = facts.tokenKind === null || facts.tokenKind === 'session';
  return {
    createdAt: Math.max(now, principal.issuedAt),
    expiresAt: unbound ? now + ttlSeconds : Math.min(now + ttlSeconds, principal.expiresAt),
  };
}

/**
 * How long a token is to live, seconds, by what was asked for and what the plane allows.
 * @throws OutriderError invalid: longer than the setting
 */
export async function allowedTtl(db: D1Database, asked: number | undefined): Promise<number> {
  const { maxTokenTtlSeconds: most } = await readSettings(db);
  if (asked === undefined) return Math.min(DEFAULT_TTL_SECONDS, most);
  if (asked > most) {
    throw new OutriderError('invalid', `a token may live ${most} s at most on this plane (maxTokenTtlSeconds)`);
  }
  return asked;
}
