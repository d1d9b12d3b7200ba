import { networkInterfaces } from 'node:os';

/** `address:port`, an IPv6 address in brackets. */
export const socketAddress = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Who listens on every address is dialled on one: the first that another machine can reach, if there is one. */
export function defaultUrl(host: string, port: number): string {
  const own = ANY_ADDRESS.has(host)
    ? (Object.values(networkInterfaces())
        .flatMap((entries) => entries ?? [])
        .find((entry) => !entry.internal && entry.family === 'IPv4')?.address ?? '127.0.0.1')
    : host;
  return `https://${socketAddress(own, port)}`;
}

/** Host of a URL, an IPv6 address without its brackets. */
export const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/^\[|\]$/g, '');

/** An address to dial for one to listen on. */
export const dialable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);
