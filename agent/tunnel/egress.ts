import { BlockList, isIP } from 'node:net';
import type { Agent } from 'node:http';
import { readOptionalFile } from '../kube/files.ts';

/** How a request to the plane leaves the cluster. */
export interface Egress {
  /** CONNECT through the company's proxy, where there is one. */
  agent: Agent | undefined;
  /** The only CA to trust for the plane (PEM); undefined: the public roots that Node carries. */
  ca: string | undefined;
  /** Ends a connection that is still being made: a request that is given up ends only its own part of it, and a proxy that says nothing would keep the rest. */
  abandon(): void;
}

/** @param exceptions value of `NO_PROXY`. */
export interface EgressOptions {
  caFile: string | undefined;
  proxyUrl: string | undefined;
  exceptions: string;
}

/**
 * Reads the CA anew for each dial, so that a changed ConfigMap counts without a restart. With a CA file that is there and not empty, that CA is pinned: a public
 * authority that was misled, or a hijacked name, gets nothing (CVE-2024-22030).
 */
export async function egressTo(target: URL, options: EgressOptions): Promise<Egress> {
  const ca = options.caFile === undefined ? '' : await readOptionalFile(options.caFile);
  if (ca !== '' && !ca.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error(`${options.caFile} is not a PEM certificate`);
  const proxied = options.proxyUrl !== undefined && !isExcepted(target, options.exceptions);
  const making = new AbortController();
  return {
    agent: proxied ? await proxyAgent(options.proxyUrl ?? '', making.signal) : undefined,
    ca: ca === '' ? undefined : ca,
    abandon: () => making.abort(),
  };
}

/** Loaded where there is a proxy: with what is under it, it keeps 6 MiB resident. */
async function proxyAgent(url: string, signal: AbortSignal): Promise<Agent> {
  const { HttpsProxyAgent } = await import('https-proxy-agent');
  return new HttpsProxyAgent(url, { keepAlive: false, signal });
}

/**
 * Whether `NO_PROXY` names the host, as curl and Go read it (`golang.org/x/net/http/httpproxy`): `*`; a name, which covers its subdomains; the same with a leading dot,
 * which covers only them; an address; an address range; each with an optional port.
 */
export function isExcepted(target: URL, exceptions: string): boolean {
  const host = bare(target.hostname.toLowerCase());
  const port = target.port === '' ? '443' : target.port;
  return exceptions
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const { name, port: wanted } = splitPort(entry);
  if (wanted !== null && wanted !== port) return false;
  if (isIP(name) !== 0 || isIP(host) !== 0) return name === host;
  const suffix = name.startsWith('*.') ? name.slice(1) : name;
  return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

function inRange(entry: string, host: string): boolean {
  const [address = '', bits = ''] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || family !== isIP(host) || !/^[0-9]{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  range.addSubnet(address, Number(bits), type);
  return range.check(host, type);
}

function splitPort(entry: string): { name: string; port: string | null } {
  const match = /^(\[[^\]]+\]|[^:]+):([0-9]+)$/.exec(entry);
  return { name: bare(match?.[1] ?? entry), port: match?.[2] ?? null };
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
