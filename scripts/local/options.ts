import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AUDIT_DAYS, AUDIT_ROWS, AuditLevel } from '#schema/audit/event.ts';
import { Problem, reasonOf } from '../lib/problem.ts';
import type { AuditOptions } from './plane.ts';

/** What relative paths are relative to. */
export interface Base {
  /** The checkout: holds the default data folder. */
  readonly project: string;
  /** Where the person is. */
  readonly cwd: string;
}

/** What `npm start` was asked for, checked. */
export interface Options {
  /** None: the default of what is started. */
  readonly host: string | undefined;
  readonly port: number;
  readonly dataDir: string;
  readonly url: string | undefined;
  readonly sans: readonly string[];
  readonly certificate: { readonly certificateFile: string; readonly keyFile: string } | undefined;
  readonly reach: readonly string[];
  readonly trustFile: string | undefined;
  readonly audit: AuditOptions;
  readonly agentImage: string | undefined;
  readonly json: boolean;
  readonly demo: boolean;
  readonly help: boolean;
}

export const HELP = `Runs Outrider on this machine: the plane, its database and its objects, over HTTPS.

Usage: npm start -- [option…]

  --port <number>       port to listen on (default 8443; 0 takes a free one)
  --host <address>      address to listen on (default 127.0.0.1; 0.0.0.0 for every one)
  --data-dir <folder>   where state is kept (default .outrider)
  --url <https://…>     what people and clusters dial, when it differs from --host and --port
  --san <name>          one more name or address for the plane's own certificate; may be repeated
  --cert <file>         certificate chain in PEM, instead of one by the plane's own CA
  --key <file>          its private key in PEM
  --reach <address>     an address or network that the plane may reach although it is not public: where a sign-in
                        provider is; whoever administers the plane can have it ask there. May be repeated
  --trust <file>        certificates in PEM by which such providers are known
  --audit-level <level> what the audit log says: None, Metadata (default), or Request, with what was sent, redacted
  --audit-days <days>   how old its events in the database may be (default 90), and
  --audit-rows <rows>   how many there may be (default 100000); what leaves goes to the folder 'audit'
  --agent-image <ref>   image of the agent that imported clusters run
  --demo                also run a real Kubernetes cluster here and import it (Linux, as root); the plane
                        then listens on that cluster's address for this machine
  --json                print one line of JSON when ready, for scripts (npm's own lines go with npm start --silent)
  --help                print this

State survives restarts and crashes. Ctrl-C stops it; a second Ctrl-C does not wait.
`;

/** Options that may be given more than once. */
const REPEATED = new Set(['san', 'reach']);
const DEFAULT_PORT = 8443;
const HIGHEST_PORT = 65_535;
/** RFC 1123 §2.1, with a wildcard as the first label where a certificate may have one. */
const DNS_NAME = /^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const LONGEST_DNS_NAME = 253;
/** What a container engine takes for an image, roughly (distribution/reference): enough to refuse a space, a quote or a line end. */
const IMAGE = /^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$/;

/**
 * Reads the command line.
 *
 * @param arguments_ without the program's own two.
 * @returns options with absolute paths.
 * @throws {Problem} with exit code 2 and what is wrong.
 */
export function readOptions(arguments_: readonly string[], base: Base): Options {
  const given = parse(arguments_);
  return {
    host: given.host === undefined ? undefined : checkHost(given.host),
    port: checkPort(given.port ?? String(DEFAULT_PORT)),
    dataDir:
      given['data-dir'] === undefined
        ? join(base.project, '.outrider')
        : checkPath(given['data-dir'], '--data-dir', base),
    url: given.url === undefined ? undefined : checkUrl(given.url),
    sans: (given.san ?? []).map((name) => checkName(name, '--san')),
    certificate: checkCertificate(given.cert, given.key, given.san ?? [], base),
    reach: (given.reach ?? []).map(checkNetwork),
    trustFile: given.trust === undefined ? undefined : checkPath(given.trust, '--trust', base),
    audit: {
      level: checkLevel(given['audit-level']),
      days: checkCount(given['audit-days'], '--audit-days', AUDIT_DAYS),
      rows: checkCount(given['audit-rows'], '--audit-rows', AUDIT_ROWS),
    },
    agentImage: given['agent-image'] === undefined ? undefined : checkImage(given['agent-image']),
    json: given.json ?? false,
    demo: given.demo ?? false,
    help: given.help ?? false,
  };
}

const wrong = (message: string): Problem =>
  new Problem(`${message} (npm start -- --help lists the options)`, { exitCode: 2 });

function parse(arguments_: readonly string[]) {
  try {
    const { values, tokens } = parseArgs({
      args: [...arguments_],
      tokens: true,
      options: {
        host: { type: 'string' },
        port: { type: 'string' },
        'data-dir': { type: 'string' },
        url: { type: 'string' },
        san: { type: 'string', multiple: true },
        cert: { type: 'string' },
        key: { type: 'string' },
        reach: { type: 'string', multiple: true },
        trust: { type: 'string' },
        'audit-level': { type: 'string' },
        'audit-days': { type: 'string' },
        'audit-rows': { type: 'string' },
        'agent-image': { type: 'string' },
        json: { type: 'boolean' },
        demo: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const names = tokens.filter((token) => token.kind === 'option').map(({ name }) => name);
    const twice = names.find((name, index) => !REPEATED.has(name) && names.indexOf(name) !== index);
    if (twice !== undefined) throw new Error(`--${twice} was given twice`);
    return values;
  } catch (error) {
    // Node's message may go on with advice on its own second line or sentence.
    const [first = ''] = reasonOf(error).split(/\n|\. /);
    throw wrong(first.replace(/\.$/, ''));
  }
}

function checkPath(value: string, option: string, base: Base): string {
  if (value.trim() === '') throw wrong(`${option} needs a value`);
  return resolve(base.cwd, value);
}

function checkPort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (!(port <= HIGHEST_PORT)) throw wrong(`--port must be a number from 0 to ${HIGHEST_PORT}, not '${value}'`);
  return port;
}

function checkName(value: string, option: string): string {
  const name = value.replaceAll(/^\[|\]$/g, '');
  if (isIP(name) === 0 && (!DNS_NAME.test(name) || name.length > LONGEST_DNS_NAME)) {
    throw wrong(`${option} must be a host name or an IP address, not '${value}'`);
  }
  return name;
}

/** An address, or a network in CIDR notation (RFC 4632 §3.1); as a network. */
function checkNetwork(value: string): string {
  const [address = '', bits, ...more] = value.replaceAll(/^\[|\]$/g, '').split('/');
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (more.length > 0 || longest < 0 || !(length <= longest)) {
    throw wrong(`--reach must be an IP address or a network such as 10.0.0.0/8, not '${value}'`);
  }
  return `${address}/${length}`;
}

function checkHost(value: string): string {
  const host = checkName(value, '--host');
  if (host.includes('*')) throw wrong(`--host must be one host; 0.0.0.0 stands for every address`);
  return host;
}

function checkUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:') throw wrong(`--url must begin with https://, not '${value}'`);
  if (url.username || url.password) throw wrong('--url must not hold a user name or password');
  if (url.pathname !== '/' || url.search || url.hash)
    throw wrong('--url must have no path: the plane owns the whole host');
  checkName(url.hostname, '--url');
  return url.origin;
}

function checkCertificate(
  certificateFile: string | undefined,
  keyFile: string | undefined,
  sans: readonly string[],
  base: Base,
) {
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined) throw wrong('--cert and --key go together');
  if (sans.length > 0) throw wrong(`--san is for the plane's own certificate: leave it out with --cert`);
  return { certificateFile: checkPath(certificateFile, '--cert', base), keyFile: checkPath(keyFile, '--key', base) };
}

function checkLevel(value: string | undefined): AuditLevel | undefined {
  if (value === undefined) return undefined;
  const level = AuditLevel.safeParse(value);
  if (!level.success) throw wrong(`--audit-level must be one of ${AuditLevel.options.join(', ')}, not '${value}'`);
  return level.data;
}

function checkCount(
  value: string | undefined,
  option: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  if (value === undefined) return undefined;
  const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (!(count >= least && count <= most)) {
    throw wrong(`${option} must be a number from ${least} to ${most}, not '${value}'`);
  }
  return count;
}

function checkImage(value: string): string {
  if (!IMAGE.test(value)) throw wrong(`--agent-image must be an image reference, not '${value}'`);
  return value;
}
