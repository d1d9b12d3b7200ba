/**
 * The web-platform globals that both runtimes have and the contracts use; nothing else of either is visible to `schema/`.
 * Shapes as in the WHATWG Encoding and W3C Web Cryptography standards.
 */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array): string;
}

declare const crypto: {
  getRandomValues<T extends Uint8Array>(into: T): T;
};
