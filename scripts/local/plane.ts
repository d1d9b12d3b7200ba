import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { openDataDir, writeWhole } from './data-dir.ts';
import type { DataDir } from './data-dir.ts';
import { mintToken } from './mint.ts';
import { Problem, codeOf, reasonOf } from './problem.ts';
import { bundleWorker } from './runtime/bundle.ts';
import { migrate } from './runtime/database.ts';
import { LogFile } from './runtime/log-file.ts';
import { Supervisor, endOrphan } from './runtime/supervisor.ts';
import { planeConfig } from './runtime/workerd-config.ts';
import type { WorkerManifest } from './runtime/wrangler.ts';
import { readManifest } from './runtime/wrangler.ts';
import { loadSecrets } from './secrets.ts';
import type { Secrets, SigningKey } from './secrets.ts';
import { givenCertificate, ownCertificate } from './tls/certificate.ts';
import type { ServerCertificate } from './tls/certificate.ts';

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Names that the plane's own certificate always has: the supervisor and `kubectl` on this machine. */
const LOOPBACK_NAMES = ['127.0.0.1', '::1', 'localhost'];
/** A certificate is looked at this often: it is renewed 30 days before its end, so half a day is nothing. */
const RENEWAL_CHECK_MS = 12 * 3_600_000;

/** What a plane is started with; only the data folder is required. */
export interface PlaneOptions {
  readonly dataDir: string;
  /** Address or name to listen on. @default '127.0.0.1' */
  readonly host?: string;
  /** Port to listen on; 0 or none: a free one. */
  readonly port?: number;
  /** What people and agents dial, when it differs from where the plane listens: `https://` and no path. */
  readonly url?: string;
  /** More names for the plane's own certificate. */
  readonly sans?: readonly string[];
  /** PEM files of a certificate chain and its key, instead of the plane's own. */
  readonly certificate?: { readonly certificateFile: string; readonly keyFile: string };
  readonly agentImage?: string;
  /** Folder with wrangler.toml. @default the checkout */
  readonly project?: string;
  /** Lines for a person, such as the Worker's warnings. */
  readonly say?: (line: string) => void;
}

/** A plane that runs on this machine. */
export interface Plane {
  /** `PUBLIC_URL`, without a slash at its end. */
  readonly url: string;
  /** CA in PEM that its clients need, or empty when the public ones will do. */
  readonly caPem: string;
  /** Chain in PEM that it serves. */
  readonly chainPem: string;
  /** Where it listens, as this machine dials it. */
  readonly host: string;
  readonly port: number;
  readonly dataDir: DataDir;
  /** Signs the tokens that it issues. */
  readonly signingKey: SigningKey;
  /** Process id of workerd, which changes with a restart; undefined while it is down. */
  readonly pid: number | undefined;
  /** A token of at most 300 s, for a person by user id or, by default, for the operator. */
  mint(subject?: string): Promise<string>;
  /** Ends workerd at once, by SIGKILL, and leaves it down until `restart`: for fault tests. */
  kill(): Promise<void>;
  /** Ends workerd if it runs, and starts it on the same port and data. */
  restart(): Promise<void>;
  /** Lets requests end, stops workerd and gives the folder back; `atOnce` does not wait. */
  stop(atOnce?: boolean): Promise<void>;
}

/**
 * Starts a plane: makes or reads its state, brings the database up to date, and serves the Worker with a supervised workerd.
 *
 * @throws {Problem} with one line that says what to do.
 */
export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const dir = await openDataDir(options.dataDir);
  try {
    return await startIn(dir, options);
  } catch (error) {
    dir.release();
    throw error;
  }
}

async function startIn(dir: DataDir, options: PlaneOptions): Promise<Plane> {
  const config = join(dir.run, 'workerd.capnp');
  const pidFile = join(dir.run, 'workerd.pid');
  await endOrphan(pidFile, config);
  const manifest = await readManifest(options.project ?? PROJECT);
  const host = options.host ?? LOOPBACK_NAMES[0] ?? '';
  const [bundle, secrets, port] = await Promise.all([
    bundleWorker(manifest.main),
    loadSecrets(dir.secretsFile),
    freePort(host, options.port ?? 0),
  ]);
  const url = options.url ?? defaultUrl(host, port);
  const publicHost = hostOf(url);
  const readCertificate = (): Promise<ServerCertificate> =>
    options.certificate
      ? givenCertificate(options.certificate.certificateFile, options.certificate.keyFile, publicHost)
      : ownCertificate(dir, [...new Set([publicHost, ...LOOPBACK_NAMES, ...(options.sans ?? [])])]);
  let certificate = await readCertificate();

  const logFile = new LogFile(join(dir.logs, 'workerd.log'));
  const log = (line: string, level: string): void => {
    logFile.append(line);
    if (level === 'warn' || level === 'error') options.say?.(line);
  };
  for (const { binding, migrations } of manifest.databases) {
    await migrate({ folder: dir.d1, binding, migrations, log });
  }

  await writeWhole(join(dir.run, 'worker.js'), bundle);
  const texts = textsFor(manifest, {
    PUBLIC_URL: url,
    PUBLIC_CA: certificate.ca,
    AGENT_IMAGE: options.agentImage ?? (await defaultAgentImage()),
    SIGNING_KEYS: JSON.stringify(secrets.signingKeys),
    CLUSTER_ID_KEY: secrets.clusterIdKey,
  });
  const configure = (): Promise<void> =>
    writeWhole(
      config,
      planeConfig({
        manifest,
        script: 'worker.js',
        texts,
        address: `${host.includes(':') ? `[${host}]` : host}:${port}`,
        tls: certificate,
        objects: dir.objects,
        d1: dir.d1,
      }),
    );
  await configure();

  const supervisor = new Supervisor({ config, sockets: ['https'], log, pidFile });
  await supervisor.start();
  const renewal = setInterval(() => {
    if (!certificate.needsRenewal()) return;
    void renew().catch((error: unknown) => options.say?.(`the certificate could not be renewed: ${reasonOf(error)}`));
  }, RENEWAL_CHECK_MS);
  renewal.unref();
  async function renew(): Promise<void> {
    certificate = await readCertificate();
    await configure();
    await supervisor.restart();
  }

  const signingKey = firstKey(secrets);
  return {
    url,
    caPem: certificate.ca,
    get chainPem() {
      return certificate.chain;
    },
    host: dialable(host),
    port,
    dataDir: dir,
    signingKey,
    get pid() {
      return supervisor.pid;
    },
    mint: (subject) =>
      mintToken(signingKey, {
        issuer: url,
        audience: subject === undefined ? 'outrider-operator' : 'outrider',
        subject: subject ?? 'operator',
      }),
    kill: () => supervisor.stop(true),
    restart: () => supervisor.restart(),
    async stop(atOnce) {
      clearInterval(renewal);
      await supervisor.stop(atOnce);
      dir.release();
    },
  };
}

function firstKey(secrets: Secrets): SigningKey {
  const [key] = secrets.signingKeys;
  if (!key) throw new Error('no signing key');
  return key;
}

/** The Worker's text bindings: what wrangler.toml sets, overruled by what this machine knows. */
function textsFor(manifest: WorkerManifest, known: Record<string, string>): Record<string, string> {
  const unknown = manifest.secrets.find((name) => !(name in known));
  if (unknown !== undefined)
    throw new Problem(`wrangler.toml requires the secret ${unknown}, which one machine cannot supply`);
  return { ...manifest.vars, ...known };
}

async function defaultAgentImage(): Promise<string> {
  const file: unknown = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'));
  return `docker.io/outrider/agent:${z.object({ version: z.string() }).parse(file).version}`;
}

/**
 * The port asked for, or a free one, checked by listening on it.
 *
 * @throws {Problem} when it is taken or not to be had.
 */
async function freePort(host: string, port: number): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  } catch (error) {
    throw new Problem(listenFailure(error, host, port), { cause: error });
  } finally {
    server.close();
  }
}

const LISTEN_FAILURES: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) => `port ${port} on ${host} is in use: stop what uses it, or choose another with --port`,
  EACCES: (_, port) => `port ${port} needs more rights than this user has: choose one above 1023 with --port`,
  EADDRNOTAVAIL: (host) => `${host} is not an address of this machine: choose another with --host`,
  ENOTFOUND: (host) => `${host} is not a name that resolves: choose another with --host`,
};

const listenFailure = (error: unknown, host: string, port: number): string =>
  LISTEN_FAILURES[codeOf(error) ?? '']?.(host, port) ?? `cannot listen on ${host} port ${port}: ${reasonOf(error)}`;

const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Who listens on every address is dialled on one: the first that another machine can reach, if there is one. */
function defaultUrl(host: string, port: number): string {
  const own = ANY_ADDRESS.has(host)
    ? (Object.values(networkInterfaces())
        .flatMap((entries) => entries ?? [])
        .find((entry) => !entry.internal && entry.family === 'IPv4')?.address ?? '127.0.0.1')
    : host;
  return `https://${own.includes(':') ? `[${own}]` : own}:${port}`;
}

/** Host of a URL, an IPv6 address without its brackets. */
const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/^\[|\]$/g, '');

const dialable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);
