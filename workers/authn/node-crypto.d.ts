/** The part of Node's crypto that `password.ts` uses and nodejs_compat has. All of `@types/node` would bring globals that workerd lacks. */
declare module 'node:crypto' {
  export function randomBytes(size: number): Uint8Array;
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
  export function scryptSync(
    password: string,
    salt: Uint8Array,
    keylen: number,
    options: { N: number; r: number; p: number; maxmem: number },
  ): Uint8Array;
}
