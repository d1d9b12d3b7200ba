/** IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2), as `URL` writes it. */
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * Whom an address stands for when attempts are counted. A household or a machine has a whole IPv6 /64 to choose from (RFC 6177), so that counts as one; IPv4 counts by
 * address, however it is written.
 * @param peer `address`, `address:port`, `[address]` or `[address]:port`
 */
export function callerOf(peer: string): string {
  const ipv6 = ipv6Of(peer);
  if (ipv6 === null) return addressOf(peer);
  const url = `http://[${ipv6}]`;
  if (!URL.canParse(url)) return peer;
  const canonical = new URL(url).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(canonical) ?? [];
  if (high !== undefined && low !== undefined) return ipv4([Number.parseInt(high, 16), Number.parseInt(low, 16)]);
  return `${groups(canonical).slice(0, 4).join(':')}::/64`;
}

/** The address alone. @param peer as in {@link callerOf} */
export const addressOf = (peer: string): string => ipv6Of(peer) ?? peer.replace(/:\d+$/, '');

const ipv6Of = (peer: string): string | null =>
  /^\[([^\]]+)\](?::\d+)?$/.exec(peer)?.[1] ?? (peer.split(':').length > 2 ? peer : null);

const ipv4 = (halves: number[]): string => halves.flatMap((half) => [half >> 8, half & 0xff]).join('.');

/** The eight groups of a canonical address, `::` written out (RFC 5952 §4.2). */
function groups(canonical: string): string[] {
  const [head = '', tail] = canonical.split('::');
  const split = (part: string): string[] => (part === '' ? [] : part.split(':'));
  if (tail === undefined) return split(head);
  const missing = 8 - split(head).length - split(tail).length;
  return [...split(head), ...Array.from({ length: missing }, () => '0'), ...split(tail)];
}
