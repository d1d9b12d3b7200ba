import { randomBase32 } from '#schema/ids.ts';

const LONGEST = 64;
/** Numbers that people bear to see; then letters that nobody else has. */
const LAST_NUMBER = 9;

/** A name of this plane's form (`schema/api/people/users.ts`) from one of a provider's. */
function plainName(loginName: string): string {
  const plain = loginName
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._@-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, LONGEST)
    .replace(/[^a-z0-9]+$/, '');
  return plain === '' ? 'user' : plain;
}

/** Names to try for a new person, until one is free. Whoever has one of them already stays somebody else: a name never joins two. */
export function* usernamesFor(loginName: string): Generator<string> {
  const base = plainName(loginName);
  yield base;
  const with_ = (suffix: string): string => `${base.slice(0, LONGEST - suffix.length - 1)}-${suffix}`;
  for (let number = 2; number <= LAST_NUMBER; number++) yield with_(String(number));
  yield with_(randomBase32(10));
}
