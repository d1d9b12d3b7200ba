import * as z from 'zod';

/** Where a page ended: the last item's value of the field that the list is sorted by, and its id, which tells equal values apart. */
export interface Position {
  readonly value: string | number;
  readonly id: string;
}

/** A few filters, a name and an id, each as long as those of any list may be. */
export const MAX_CONTINUE_LENGTH = 4096;

/** What is in a token; the first element is the version of this format. */
const Token = z.tuple([
  z.literal(1),
  z.string().max(MAX_CONTINUE_LENGTH),
  z.union([z.string().max(512), z.number().refine(Number.isSafeInteger)]),
  // The longest are principals.
  z.string().min(1).max(512),
]);

/**
 * An opaque token that names a place in a list: it holds that place, so the plane keeps nothing for whoever reads on, and a row that is added or removed meanwhile
 * makes no other row come twice or not at all. It is not signed: it says only where to go on, and which rows its bearer may see is asked at every page anew.
 * @param context what the pages of one list have in common: a token is good for no other
 */
export function encodeContinue({ value, id }: Position, context: string): string {
  const octets = new TextEncoder().encode(JSON.stringify([1, context, value, id]));
  const text = btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(''));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The place that a token names; null: it is none of ours, or one of a list with another context. */
export function decodeContinue(token: string, context: string): Position | null {
  if (token.length > MAX_CONTINUE_LENGTH || !/^[A-Za-z0-9_-]+$/.test(token)) return null;
  let decoded: unknown;
  try {
    const octets = atob(token.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(octets, (octet) => octet.charCodeAt(0));
    decoded = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  const parsed = Token.safeParse(decoded);
  if (!parsed.success) return null;
  const [, where, value, id] = parsed.data;
  return where === context ? { value, id } : null;
}
