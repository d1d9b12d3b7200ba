/**
 * The web globals that contracts may use: pure ones, which Node and workerd share. Timers, fetch and sockets are I/O, and are
 * missing on purpose, so that using one here does not compile. (Other projects see their own runtime's types instead.)
 */
declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

declare class URL {
  constructor(url: string, base?: string);
  static canParse(url: string, base?: string): boolean;
  readonly hash: string;
  readonly host: string;
  readonly hostname: string;
  readonly href: string;
  readonly origin: string;
  readonly password: string;
  readonly pathname: string;
  readonly port: string;
  readonly protocol: string;
  readonly search: string;
  readonly username: string;
}

declare const crypto: {
  getRandomValues<T extends Uint8Array>(array: T): T;
};

declare function btoa(octets: string): string;
declare function atob(base64: string): string;
