import { parseArgs } from 'node:util';
import * as z from 'zod';
import { NAMESPACE } from '#schema/kube/names.ts';

/** Where a pod finds the API server, its CA and its own token (Kubernetes docs: "Accessing the API from within a Pod"). */
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The port of `/healthz`, `/readyz` and `/metrics`. */
const DEFAULT_STATUS_PORT = 8081;

/** Every setting: its environment variable and its flag. A flag goes before its variable. */
const SETTINGS = {
  server: { env: 'OUTRIDER_SERVER', flag: 'server' },
  caFile: { env: 'OUTRIDER_CA_FILE', flag: 'ca-file' },
  namespace: { env: 'OUTRIDER_NAMESPACE', flag: 'namespace' },
  registrationTokenFile: { env: 'OUTRIDER_REGISTRATION_TOKEN_FILE', flag: 'registration-token-file' },
  statusAddress: { env: 'OUTRIDER_STATUS_ADDRESS', flag: 'status-address' },
  statusPort: { env: 'OUTRIDER_STATUS_PORT', flag: 'status-port' },
  logLevel: { env: 'OUTRIDER_LOG_LEVEL', flag: 'log-level' },
  apiServer: { env: 'OUTRIDER_API_SERVER', flag: 'api-server' },
  apiServerCaFile: { env: 'OUTRIDER_API_SERVER_CA_FILE', flag: 'api-server-ca-file' },
  apiServerTokenFile: { env: 'OUTRIDER_API_SERVER_TOKEN_FILE', flag: 'api-server-token-file' },
} as const;

/** An https origin without path, user or query: credentials in URLs end up in logs. */
const HttpsOrigin = z.url({ protocol: /^https$/, error: 'must be an https:// URL' }).refine(
  (text) => {
    const url = new URL(text);
    return url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === '';
  },
  { error: 'must be https://host[:port] and nothing more' },
);

const Path = z.string().min(1).max(4096);

const Config = z.object({
  /** Origin of the plane. */
  server: HttpsOrigin,
  /** PEM file of the plane's CA. When it is there and not empty, that CA is the only one trusted. */
  caFile: Path.optional(),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { error: 'must be the name of a namespace' })
    .default(NAMESPACE),
  registrationTokenFile: Path.default('/var/run/outrider/registration/token'),
  /** Without one: all addresses of both families, since a cluster may have either alone. */
  statusAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  statusPort: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_STATUS_PORT),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Origin of the API server. */
  apiServer: HttpsOrigin,
  apiServerCaFile: Path.default(`${SERVICE_ACCOUNT_FOLDER}/ca.crt`),
  /** The bootstrap account's token; read again for each use, since the kubelet rotates it. */
  apiServerTokenFile: Path.default(`${SERVICE_ACCOUNT_FOLDER}/token`),
  /** Proxy for the way to the plane, from `HTTPS_PROXY` and `NO_PROXY` in either case. */
  proxy: z.object({
    url: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
    exceptions: z.string().max(16_384).default(''),
  }),
});

/** Everything that the agent is told from outside, checked. */
export type Config = z.infer<typeof Config>;

/** A setting is missing or wrong; the message names each one and is fit for a terminal. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/**
 * Reads flags and environment, once.
 * @throws ConfigError that names every setting that is missing or wrong, never its value: a proxy's URL may hold a password.
 */
export function readConfig(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Config {
  const flags = readFlags(args);
  const unchecked: Record<string, unknown> = {};
  for (const [name, { env: variable, flag }] of Object.entries(SETTINGS)) {
    unchecked[name] = given(flags[flag]) ?? given(env[variable]);
  }
  unchecked['apiServer'] ??= serviceOrigin(env);
  unchecked['proxy'] = {
    url: given(env['HTTPS_PROXY']) ?? given(env['https_proxy']),
    exceptions: given(env['NO_PROXY']) ?? given(env['no_proxy']),
  };
  const result = Config.safeParse(unchecked);
  if (!result.success) throw new ConfigError(result.error.issues.map((issue) => explain(issue, unchecked)).join('; '));
  return result.data;
}

function readFlags(args: readonly string[]): Record<string, string | undefined> {
  const options = Object.fromEntries(Object.values(SETTINGS).map(({ flag }) => [flag, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : 'bad flags');
  }
}

/** An empty variable counts as none: manifests set variables that have no value. */
function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

/** The in-cluster address that the kubelet puts into every container. */
function serviceOrigin(env: NodeJS.ProcessEnv): string | undefined {
  const host = given(env['KUBERNETES_SERVICE_HOST']);
  if (host === undefined) return undefined;
  const port = given(env['KUBERNETES_SERVICE_PORT_HTTPS']) ?? given(env['KUBERNETES_SERVICE_PORT']) ?? '443';
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function explain(issue: z.core.$ZodIssue, unchecked: Readonly<Record<string, unknown>>): string {
  const [name, part] = issue.path;
  if (name === 'proxy') return `${part === 'url' ? 'HTTPS_PROXY' : 'NO_PROXY'}: ${issue.message}`;
  const setting = new Map<unknown, { env: string; flag: string }>(Object.entries(SETTINGS)).get(name);
  const where = setting === undefined ? String(name) : `${setting.env} (--${setting.flag})`;
  if (unchecked[String(name)] !== undefined) return `${where}: ${issue.message}`;
  const hint = name === 'apiServer' ? '; outside a cluster it must be given' : '';
  return `${where} is not set${hint}`;
}
