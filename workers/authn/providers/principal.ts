import { ProviderRefusal, type ExternalGroup } from './provider.ts';

/** Groups of one person at one provider: all of them, with those of other sources, go to the API server in a header each. */
export const MAX_GROUPS = 500;

/** What `GroupPrincipal` of schema/ids.ts takes of an id. */
const MAX_ID = 200;

/** Names that are shown; what a provider sends may be longer. */
const MAX_NAME = 256;

/**
 * The principal of an id at a provider. What may not stand in a header or would be ambiguous is percent-encoded (RFC 3986 §2.1), `%` too, so that no two ids become one.
 * Null: too long to be carried.
 */
export function principalOf(provider: string, kind: string, id: string): string | null {
  if (id === '' || !id.isWellFormed()) return null;
  const encoded = id.replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));
  return encoded.length <= MAX_ID ? `${provider}_${kind}://${encoded}` : null;
}

/** A name for showing: without control characters, and not too long. */
export const shownName = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, MAX_NAME);

/** Each group once. A group whose principal cannot be carried gives nobody anything, so it is left out. @throws ProviderRefusal too many */
export function groupsOf(groups: readonly { principal: string | null; displayName: string }[]): ExternalGroup[] {
  const byPrincipal = new Map<string, ExternalGroup>();
  for (const { principal, displayName } of groups) {
    if (principal !== null) byPrincipal.set(principal, { principal, displayName: shownName(displayName) });
  }
  if (byPrincipal.size > MAX_GROUPS) {
    throw new ProviderRefusal(`the provider names more than ${MAX_GROUPS} groups; it must send fewer`);
  }
  return [...byPrincipal.values()];
}
