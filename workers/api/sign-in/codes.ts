/** RFC 8628 §6.1: no vowels, so no words, and nothing that is read as something else. Twenty letters to the eighth: 34 bits. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const LENGTH = 8;
/** The largest multiple of twenty in an octet: what is above it would make some letters likelier. */
const FAIR = 240;

const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`);

/** A new code that a person types, without its hyphen. */
export function newUserCode(): string {
  let code = '';
  while (code.length < LENGTH) {
    for (const octet of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      if (octet < FAIR && code.length < LENGTH) code += LETTERS.charAt(octet % LETTERS.length);
    }
  }
  return code;
}

/** As it is shown: `XXXX-XXXX`. */
export const shownCode = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;

/** What somebody typed, as {@link newUserCode} made it; null: no code looks so. */
export function typedCode(text: string): string | null {
  const letters = text.toUpperCase().replaceAll(/[\s-]/g, '');
  return CODE.test(letters) ? letters : null;
}

/**
 * Where an authorization code may be sent: a program on the person's own machine, by the loopback address and whatever port it got (RFC 8252 §7.3). Not `localhost`, which may
 * resolve elsewhere (§8.3), and not `[::1]`, which no Content-Security-Policy can name. Null: nowhere.
 */
export function loopbackAddress(text: string): URL | null {
  if (!/^http:\/\/127\.0\.0\.1:[1-9]\d{0,4}\/[A-Za-z0-9._~/-]*$/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.hostname === '127.0.0.1' && url.href === text ? url : null;
}
