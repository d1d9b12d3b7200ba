import type { Duplex } from 'node:stream';
import type { DirectoryConfig } from '#schema/directory/config.ts';

/** From the name to a finished handshake, ms: what has not answered by then is passed over for the next server. */
export const CONNECT_MS = 4_000;

/** A connection to a directory, open and under TLS. */
export interface DirectorySocket extends Duplex {
  /** The LDAP library asks whether it has to wait for `connect`, as a socket of Node's would tell. */
  readonly connecting: boolean;
  readonly readyState: string;
}

/** What there is to know of a server before it is dialled. */
export type Target = Pick<DirectoryConfig, 'port' | 'security' | 'ca'>;

/**
 * Connects to a server of a directory, under TLS whatever the configuration: the certificate has to be of an authority that is trusted and for the name that was dialled. An abort ends it.
 * @throws DirectoryFailure
 */
export type Dial = (server: string, target: Target, signal: AbortSignal) => Promise<DirectorySocket>;
