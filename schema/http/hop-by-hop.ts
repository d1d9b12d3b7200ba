import type { Field } from '../protocol/codec/head.ts';

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

/** Fields that a value of `Connection` names, in any case and with any white space. */
export function connectionNamed(value: string): string[] {
  return value.split(',').map((name) => name.trim().toLowerCase());
}

/** Fields (their names in lower case) without those of the connection they came by. */
export function endToEnd(fields: readonly Field[]): Field[] {
  const named = new Set<string>();
  for (const [name, value] of fields) {
    if (name === 'connection') for (const token of connectionNamed(value)) named.add(token);
  }
  return fields.filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name));
}
