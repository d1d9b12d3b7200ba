import { base64url } from 'jose';
import type { Config } from '../env.ts';

/** NIST SP 800-38D §8.2.2: random, 96 bits. A key seals far fewer than the 2^32 texts that this allows. */
const IV_OCTETS = 12;
const SEALED = /^(?<id>[A-Za-z0-9_-]{1,64})\.(?<iv>[A-Za-z0-9_-]{16})\.(?<data>[A-Za-z0-9_-]+)$/;

/** What a sealed text belongs to: table, row, column. A text that is moved to another place does not open there. */
export type Place = readonly [what: string, ...identity: string[]];

/** A sealed text cannot be opened: its key is gone, it was changed, or it was moved. Holds nothing of the text. */
export class SealedError extends Error {
  constructor(problem: string) {
    super(`a sealed text cannot be opened: ${problem}`);
    this.name = 'SealedError';
  }
}

/** The key's id is bound in too, so that nobody relabels a text. */
const additionalData = (keyId: string, place: Place): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(['outrider', keyId, ...place]));

/**
 * Encrypts a secret that the plane must be able to read again (AES-256-GCM), under the first of its keys, for one place.
 * @returns `<key id>.<nonce>.<ciphertext and tag>`
 */
export async function seal(config: Pick<Config, 'secretsKeys'>, place: Place, text: string): Promise<string> {
  const [{ id, key }] = config.secretsKeys;
  const iv = crypto.getRandomValues(new Uint8Array(IV_OCTETS));
  const parameters = { name: 'AES-GCM', iv, additionalData: additionalData(id, place) };
  const data = await crypto.subtle.encrypt(parameters, key, new TextEncoder().encode(text));
  return `${id}.${base64url.encode(iv)}.${base64url.encode(new Uint8Array(data))}`;
}

/** Decrypts what {@link seal} made for the same place, under whichever key. @throws SealedError */
export async function open(config: Pick<Config, 'secretsKeys'>, place: Place, sealed: string): Promise<string> {
  const { id = '', iv = '', data = '' } = SEALED.exec(sealed)?.groups ?? {};
  const found = config.secretsKeys.find((candidate) => candidate.id === id);
  if (found === undefined) throw new SealedError('no key has its id');
  try {
    const parameters = {
      name: 'AES-GCM',
      iv: base64url.decode(iv),
      additionalData: additionalData(id, place),
    };
    const text = await crypto.subtle.decrypt(parameters, found.key, base64url.decode(data));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    throw new SealedError('it was changed, or belongs elsewhere');
  }
}
