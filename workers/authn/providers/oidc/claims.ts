import { groupsOf, principalOf, shownName } from '../principal.ts';
import { ProviderRefusal, type ExternalGroup } from '../provider.ts';

/** Claims of an ID token and of UserInfo (OpenID Connect Core 1.0 §5.1). */
export type Claims = Readonly<Record<string, unknown>>;

/** Who a provider's groups and people are called after. */
export interface ClaimNames {
  readonly groupsClaim: string | null;
  readonly nameClaim: string;
}

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A claim by its whole name, which may hold dots and be an address; else by a way through nested objects. Own properties alone. */
export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

/**
 * The groups that claims name: a list of texts, or one text. No claim: no groups.
 * @throws ProviderRefusal the claim is something else, or too many
 */
export function groupsIn(claims: Claims, groupsClaim: string | null, provider: string): ExternalGroup[] {
  const value = groupsClaim === null ? undefined : claimAt(claims, groupsClaim);
  if (value === undefined || value === null) return [];
  const names: unknown[] = Array.isArray(value) ? value : [value];
  if (!names.every((name) => typeof name === 'string')) {
    throw new ProviderRefusal(`the claim ${String(groupsClaim)} is not a list of texts`);
  }
  return groupsOf(names.map((name) => ({ principal: principalOf(provider, 'group', name), displayName: name })));
}

/** What somebody is called: a name of the configured claim, else the best of what there is. */
export function namesIn(
  claims: Claims,
  { nameClaim }: ClaimNames,
  subject: string,
): { login: string; display: string } {
  const text = (name: string): string | null => {
    const value = claimAt(claims, name);
    const shown = typeof value === 'string' ? shownName(value) : '';
    return shown === '' ? null : shown;
  };
  const login = text(nameClaim) ?? text('preferred_username') ?? text('email') ?? shownName(subject);
  return { login, display: text('name') ?? login };
}
