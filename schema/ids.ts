import * as z from 'zod';
import { plain } from './audit/redact.ts';

/** RFC 4648 §6 in lower case, without padding: names that people read aloud and that DNS labels allow. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Encodes octets as lower-case base32 without padding; a last group of fewer than five bits is dropped only if it is empty. */
export function base32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET.charAt((value >>> bits) & 31);
    }
  }
  if (bits > 0) out += ALPHABET.charAt((value << (5 - bits)) & 31);
  return out;
}

/** Drawn ahead: asking costs as much for many octets as for a few, and each request has a name. Used once each. */
const drawn = new Uint8Array(1024);
let left = 0;

/** `length` random base32 characters, five bits each. */
export function randomBase32(length: number): string {
  let out = '';
  while (out.length < length) {
    // Not before the first use: Workers have no randomness while a script is loaded.
    if (left === 0) left = crypto.getRandomValues(drawn).length;
    out += ALPHABET.charAt((drawn[--left] ?? 0) & 31);
    drawn[left] = 0;
  }
  return out;
}

/** Ten characters, 50 bits: no two of a deployment's few thousand people, tokens or rows meet. */
const NAME_LENGTH = 10;

export const UserId = plain(z.string().regex(/^u-[a-z2-7]{10}$/));
export const GroupId = plain(z.string().regex(/^g-[a-z2-7]{10}$/));
export const TokenId = plain(z.string().regex(/^t-[a-z2-7]{10}$/));
export const RegistrationTokenId = z.string().regex(/^r-[a-z2-7]{10}$/);

/**
 * `c-`, a jurisdiction (`g` global, `e` European Union, `f` FedRAMP: Durable Objects "data location"), ten random characters, eight of a MAC.
 * The MAC is checked before an object is named after the id, so that a guessed id creates nothing (`workers/cluster/stub.ts`).
 */
export const ClusterId = plain(z.string().regex(/^c-[gef][a-z2-7]{18}$/));

/**
 * A group as some provider knows it: the provider's id, what kind of group it is there, and its id there, percent-encoded where that is not plain. It is the name by which a
 * cluster's own bindings may speak of the group, so it can neither begin with `system:` nor break a header field.
 */
export const GroupPrincipal = plain(
  z.string().regex(/^[a-z][a-z0-9-]{0,31}_(?:group|org|team):\/\/[\x21-\x7e]{1,200}$/),
);

/** A global role that somebody made (`gr-…`), or one that every plane has, by its name (`schema/roles.ts`); and its being given to somebody. */
export const GlobalRoleId = plain(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/));
export const GlobalRoleBindingId = z.string().regex(/^gb-[a-z2-7]{10}$/);

export const newUserId = (): string => `u-${randomBase32(NAME_LENGTH)}`;
export const newGlobalRoleId = (): string => `gr-${randomBase32(NAME_LENGTH)}`;
export const newGlobalRoleBindingId = (): string => `gb-${randomBase32(NAME_LENGTH)}`;
export const newGroupId = (): string => `g-${randomBase32(NAME_LENGTH)}`;
export const newTokenId = (): string => `t-${randomBase32(NAME_LENGTH)}`;
export const newRegistrationTokenId = (): string => `r-${randomBase32(NAME_LENGTH)}`;
