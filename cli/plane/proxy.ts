import { BlockList, isIP } from 'node:net';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { Failure } from '../exits.ts';
import { type Io, variable } from '../io.ts';

/**
 * The way through a company's proxy, or undefined for the direct one: `HTTPS_PROXY` and `NO_PROXY` in either case, as curl, Go and so kubectl read them.
 *
 * @throws {Failure} for a proxy that is no URL; its value is not repeated, since it may hold a password.
 */
export function proxyFor(origin: string, env: Io['env']): HttpsProxyAgent<string> | undefined {
  const proxy = variable(env, 'HTTPS_PROXY') ?? variable(env, 'https_proxy');
  if (proxy === undefined) return undefined;
  if (isExcepted(new URL(origin), variable(env, 'NO_PROXY') ?? variable(env, 'no_proxy') ?? '')) return undefined;
  if (!/^https?:\/\//i.test(proxy) || !URL.canParse(proxy)) {
    throw new Failure('usage', 'HTTPS_PROXY must be an http:// or https:// URL');
  }
  return new HttpsProxyAgent(proxy, { keepAlive: false });
}

/** Whether `NO_PROXY` names the host (`golang.org/x/net/http/httpproxy`): `*`, a domain with what is under it, an address, a range, each with an optional port. */
export function isExcepted(target: URL, exceptions: string): boolean {
  const host = target.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const port = target.port === '' ? '443' : target.port;
  return exceptions
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .some((entry) => entry !== '' && (entry === '*' || names(entry, host, port)));
}

function names(entry: string, host: string, port: string): boolean {
  const [, range = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (range !== '') return inRange(range, Number(bits), host);
  const [, withPort, wanted] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  const name = (withPort ?? entry).replace(/^\[(.*)\]$/, '$1').replace(/^\*\./, '.');
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function inRange(address: string, bits: number, host: string): boolean {
  const family = isIP(address);
  if (family === 0 || family !== isIP(host) || bits > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  range.addSubnet(address, bits, type);
  return range.check(host, type);
}
