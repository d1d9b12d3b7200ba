import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../lib/port.ts';
import type { AuditLevel } from '#schema/audit/event.ts';
import { PROJECT } from '../lib/project.ts';
import { defaultUrl, dialable, hostOf, socketAddress } from './address.ts';
import { openDataDir, writeWhole } from './state/data-dir.ts';
import type { DataDir } from './state/data-dir.ts';
import { mintToken } from './mint.ts';
import { Problem, reasonOf } from '../lib/problem.ts';
import { bundleWorker } from './runtime/bundle.ts';
import { migrate } from './runtime/database.ts';
import { LogFile } from './runtime/log-file.ts';
import { Supervisor, endOrphan } from './runtime/supervisor.ts';
import { type LogEntry, readLines } from './runtime/workerd.ts';
import { planeConfig } from './runtime/workerd-config.ts';
import type { WorkerManifest } from './runtime/wrangler.ts';
import { readManifest } from './runtime/wrangler.ts';
import { loadSecrets } from './state/secrets.ts';
import type { Secrets, SigningKey } from './state/secrets.ts';
import { givenCertificate, ownCertificate } from './tls/certificate.ts';
import type { ServerCertificate } from './tls/certificate.ts';

/** Names that the plane's own certificate always has: the supervisor and `kubectl` on this machine. */
const LOOPBACK_NAMES = ['127.0.0.1', '::1', 'localhost'];
/** A certificate is looked at this often: it is renewed 30 days before its end, so half a day is nothing. */
const RENEWAL_CHECK_MS = 12 * 3_600_000;

/** The bundled Worker, beside the configuration that names it. */
const SCRIPT = 'worker.js';

/** What a plane is started with; only the data folder is required. */
export interface PlaneOptions {
  /** Path of the data folder, or the folder as it was opened before. */
  readonly dataDir: string | DataDir;
  /** Address or name to listen on. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** Port to listen on; 0 or none: a free one. */
  readonly port?: number | undefined;
  /** What people and agents dial, when it differs from where the plane listens: `https://` and no path. */
  readonly url?: string | undefined;
  /** More names for the plane's own certificate. */
  readonly sans?: readonly string[] | undefined;
  /** PEM files of a certificate chain and its key, instead of the plane's own. */
  readonly certificate?: { readonly certificateFile: string; readonly keyFile: string } | undefined;
  /** Networks in CIDR notation that the Worker may reach beside the public internet: where sign-in providers are. */
  readonly reach?: readonly string[] | undefined;
  /** PEM file of certificates by which such providers are known, beside those that browsers trust. */
  readonly trustFile?: string | undefined;
  /** Settings of the audit log. @default those of wrangler.toml, else those of the Worker */
  readonly audit?: AuditOptions | undefined;
  /** @default the published one of this version */
  readonly agentImage?: string | undefined;
  /** More for the Worker's environment, instead of what wrangler.toml has in [vars]. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Folder with wrangler.toml. @default the checkout */
  readonly project?: string;
  /** Hears what a person should: the Worker's warnings and errors, and when workerd is started again. */
  readonly say?: ((line: string) => void) | undefined;
}

/** Settings of the audit log: `workers/audit/README.md`. */
export interface AuditOptions {
  readonly level?: AuditLevel | undefined;
  /** Age and number of events that the database keeps. */
  readonly days?: number | undefined;
  readonly rows?: number | undefined;
}

/** A plane that runs on this machine. */
export interface Plane {
  /** `PUBLIC_URL`, without a slash at its end. */
  readonly url: string;
  /** CA in PEM that its clients need, or empty when the public ones will do. */
  readonly caPem: string;
  /** The same in a file, or null. */
  readonly caFile: string | null;
  /** Chain in PEM that it serves. */
  readonly chainPem: string;
  /** Where it listens, as this machine dials it. */
  readonly host: string;
  readonly port: number;
  readonly dataDir: DataDir;
  /** Image reference that imported clusters run. */
  readonly agentImage: string;
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
  const dir = typeof options.dataDir === 'string' ? await openDataDir(options.dataDir) : options.dataDir;
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
  const port = await freePort(host, options.port ?? 0);
  await bundleWorker(manifest.main, join(dir.run, SCRIPT));
  const secrets = await loadSecrets(dir.secretsFile);
  const url = options.url ?? defaultUrl(host, port);
  const publicHost = hostOf(url);
  const readCertificate = (): Promise<ServerCertificate> =>
    options.certificate
      ? givenCertificate(dir, options.certificate, publicHost)
      : ownCertificate(dir, [...new Set([publicHost, ...LOOPBACK_NAMES, ...(options.sans ?? [])])]);
  let certificate = await readCertificate();
  const outbound = { reach: options.reach ?? [], trust: await readTrust(options.trustFile) };

  const logFile = new LogFile(join(dir.logs, 'workerd.log'));
  const log = ({ line }: LogEntry): void => logFile.append(line);
  const unfollow = logFile.follow((lines) => {
    for (const { level, message } of readLines(lines, false)) {
      if (level === 'warn' || level === 'error') options.say?.(`${level}: ${message}`);
    }
  });
  for (const { binding, migrations } of manifest.databases) {
    await migrate({ folder: dir.d1, binding, migrations, log });
  }

  const agentImage = options.agentImage ?? (await defaultAgentImage());
  const texts = textsFor(manifest, {
    ...options.vars,
    PUBLIC_URL: url,
    PUBLIC_CA: certificate.ca,
    AGENT_IMAGE: agentImage,
    SIGNING_KEYS: JSON.stringify(secrets.signingKeys),
    CLUSTER_ID_KEY: secrets.clusterIdKey,
    SECRETS_KEYS: JSON.stringify(secrets.secretsKeys),
    ...auditTexts(options.audit),
  });
  const configure = (tls: ServerCertificate): Promise<void> =>
    writeWhole(
      config,
      planeConfig({
        manifest,
        script: SCRIPT,
        texts,
        address: socketAddress(host, port),
        tls,
        objects: dir.objects,
        d1: dir.d1,
        audit: dir.audit,
        outbound,
      }),
    );
  await configure(certificate);

  const supervisor = new Supervisor({
    config,
    sockets: ['https'],
    public: { socket: 'https', host, port },
    log,
    stdout: logFile.descriptor,
    pidFile,
  });
  await supervisor.start();
  const renewal = setInterval(() => {
    if (!certificate.needsRenewal()) return;
    void renew().catch((error: unknown) => options.say?.(`the certificate could not be renewed: ${reasonOf(error)}`));
  }, RENEWAL_CHECK_MS);
  renewal.unref();
  async function renew(): Promise<void> {
    const renewed = await readCertificate();
    await configure(renewed);
    // Not before: what could not be configured has to be tried again at the next look.
    certificate = renewed;
    await supervisor.restart();
  }

  const signingKey = firstKey(secrets);
  return {
    url,
    caPem: certificate.ca,
    caFile: certificate.caFile,
    get chainPem() {
      return certificate.chain;
    },
    host: dialable(host),
    port,
    dataDir: dir,
    agentImage,
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
      unfollow();
      dir.release();
    },
  };
}

/** Certificates in PEM, each by itself. */
async function readTrust(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [];
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new Problem(`cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g);
  if (found === null) throw new Problem(`there is no certificate in PEM in ${file}`);
  return found.map((certificate) => `${certificate}\n`);
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

/** The settings that were given, as the Worker reads them. */
function auditTexts({ level, days, rows }: AuditOptions = {}): Record<string, string> {
  return {
    ...(level === undefined ? {} : { AUDIT_LEVEL: level }),
    ...(days === undefined ? {} : { AUDIT_WINDOW_DAYS: String(days) }),
    ...(rows === undefined ? {} : { AUDIT_WINDOW_ROWS: String(rows) }),
  };
}

async function defaultAgentImage(): Promise<string> {
  const file: unknown = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'));
  return `docker.io/outrider/agent:${z.object({ version: z.string() }).parse(file).version}`;
}
