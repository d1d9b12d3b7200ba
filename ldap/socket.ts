import type { Socket } from 'node:net';
import type { DirectoryConfig } from '#schema/directory/config.ts';

/** A connection to a directory, open and under TLS, as the LDAP library uses one: octets, events, `write`, `end` and `destroy`. */
export type DirectorySocket = Socket;

/** What there is to know of a server before it is dialled. */
export type Target = Pick<DirectoryConfig, 'port' | 'security' | 'ca'>;

/**
 * Connects to a server of a directory, under TLS whatever the configuration: the certificate has to be of an authority that is trusted and for the name that was dialled. An abort ends it.
 * @throws DirectoryFailure
 */
export type Dial = (server: string, target: Target, signal: AbortSignal) => Promise<DirectorySocket>;
