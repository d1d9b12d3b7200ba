/** Header fields of one hop (RFC 9110 §7.6.1), in either direction; what `Connection` names goes as well. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that values of `Connection` name, in any case and with any white space; what is no field name is passed over. */
export function connectionNamed(values: Iterable<string>): Set<string> {
  const named = new Set<string>();
  for (const value of values) {
    for (const token of value.split(',')) {
      const name = token.trim().toLowerCase();
      if (/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) named.add(name);
    }
  }
  return named;
}
