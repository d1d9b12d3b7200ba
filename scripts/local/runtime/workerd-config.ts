import type { WorkerManifest } from './wrangler.ts';

/** Ties stored objects to their class. Never change it: stored data would no longer be found. Hence not the name in wrangler.toml, which is its deployer's. */
const uniqueKey = (className: string): string => quote(`outrider-${className}`);
/** `/workerd/d1.js` wants RPC, so 2024-04-03 or later. */
const DATABASE_COMPATIBILITY_DATE = '2026-07-30';

/**
 * Headers that Cloudflare's edge sets itself, and that code may therefore trust. Here nobody sets them, so what arrives is a client's claim and is
 * removed.
 */
const EDGE_HEADERS = [
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-connecting-o2o',
  'cf-ew-via',
  'cf-ipcountry',
  'cf-ray',
  'cf-visitor',
  'cf-worker',
  'true-client-ip',
];

/** A literal of Cap'n Proto's text form. A NUL would end the text early for some readers, so it is refused. */
export function quote(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is escaped here
  const escaped = text.replaceAll(/["\\\u0000-\u001f\u007f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code === 0) throw new RangeError('text in the configuration of workerd cannot hold NUL');
    return character === '"' || character === '\\' ? `\\${character}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** Text of a struct; fields that are undefined are left out. */
const struct = (fields: Record<string, string | undefined>): string =>
  `(${Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')})`;

const list = (items: readonly string[]): string => `[\n    ${items.join(',\n    ')}\n  ]`;

const file = (services: readonly string[], sockets: readonly string[]): string =>
  `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  logging = (structuredLogging = true),
  services = ${list(services)},
  sockets = ${list(sockets)}
);
`;

const disk = (name: string, path: string): string =>
  struct({ name: quote(name), disk: struct({ path: quote(path), writable: 'true' }) });

/** D1 as workerd itself brings it: one object for each database, its SQLite file under `folder`. */
const databaseServices = (folder: string): string[] => [
  disk('d1-disk', folder),
  struct({
    name: quote('d1'),
    worker: struct({
      modules: `[(name = "d1.js", bundled = "/workerd/d1.js")]`,
      compatibilityDate: quote(DATABASE_COMPATIBILITY_DATE),
      bindings: `[(name = "DATABASE", durableObjectNamespace = "D1Database")]`,
      durableObjectNamespaces: `[(className = "D1Database", uniqueKey = ${uniqueKey('D1Database')}, enableSql = true)]`,
      durableObjectStorage: '(localDisk = "d1-disk")',
    }),
  }),
];

/** A database is named by its binding, which a deployment never changes; ids in wrangler.toml are its deployer's. */
const database = (binding: string): string =>
  `(name = "d1", props = (json = ${quote(JSON.stringify({ database: binding }))}))`;

/** Configuration that serves databases alone, as SQL over HTTP on a Unix socket: for migrations. */
export function databaseConfig(options: { folder: string; binding: string; socket: string }): string {
  return file(databaseServices(options.folder), [
    struct({
      name: quote('sql'),
      address: quote(`unix:${options.socket}`),
      http: '()',
      service: database(options.binding),
    }),
  ]);
}

/** What the plane's configuration is made of. */
export interface PlaneConfig {
  readonly manifest: WorkerManifest;
  /** File with the bundled Worker, named relative to the configuration's own folder. */
  readonly script: string;
  /** Text bindings: variables and secrets. */
  readonly texts: Readonly<Record<string, string>>;
  /** `address:port`. */
  readonly address: string;
  /** Chain and private key in PEM. */
  readonly tls: { readonly chain: string; readonly key: string };
  readonly objects: string;
  readonly d1: string;
  /** Folder that audit events go to when they leave the database. */
  readonly audit: string;
  readonly outbound?: Outbound | undefined;
}

/** What the Worker may reach beside the public internet, which sign-in providers in a company's own network are not on. */
export interface Outbound {
  /** Networks in CIDR notation. */
  readonly reach: readonly string[];
  /** Certificates in PEM that count beside those that browsers trust. */
  readonly trust: readonly string[];
}

/**
 * The network of the Worker's `fetch`. By default public addresses alone: an administrator of the plane names the addresses of sign-in providers, and must not reach what else
 * listens on this machine or in its network by that, unless whoever runs the machine says so.
 */
function internet({ reach, trust }: Outbound): string {
  const tls = struct({
    trustBrowserCas: 'true',
    trustedCertificates: `[${trust.map(quote).join(', ')}]`,
  });
  const network = struct({ allow: `[${['public', ...reach].map(quote).join(', ')}]`, tlsOptions: tls });
  return struct({ name: quote('internet'), network });
}

/** Configuration of the whole plane: one Worker, its objects and database on disk, one HTTPS socket. Holds secrets. */
export function planeConfig(options: PlaneConfig): string {
  const { manifest } = options;
  const bindings = [
    ...manifest.databases.map(({ binding }) => {
      const inner = `[(name = "fetcher", service = ${database(binding)})]`;
      return `(name = ${quote(binding)}, wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = ${inner}))`;
    }),
    ...manifest.objects.map(
      ({ binding, className }) => `(name = ${quote(binding)}, durableObjectNamespace = ${quote(className)})`,
    ),
    // workerd has no bucket of its own.
    `(name = "AUDIT_FOLDER", service = "audit")`,
    ...Object.entries(options.texts).map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`),
  ];
  const worker = struct({
    name: quote('worker'),
    worker: struct({
      modules: `[(name = "worker.js", esModule = embed ${quote(options.script)})]`,
      compatibilityDate: quote(manifest.compatibilityDate),
      compatibilityFlags: `[${manifest.compatibilityFlags.map(quote).join(', ')}]`,
      bindings: list(bindings),
      durableObjectNamespaces: list(
        manifest.objects.map(
          ({ className }) => `(className = ${quote(className)}, uniqueKey = ${uniqueKey(className)}, enableSql = true)`,
        ),
      ),
      durableObjectStorage: manifest.objects.length > 0 ? '(localDisk = "objects")' : undefined,
    }),
  });
  const removed = EDGE_HEADERS.map((name) => `(name = ${quote(name)})`).join(', ');
  const https = struct({
    options: `(injectRequestHeaders = [${removed}])`,
    tlsOptions: `(keypair = (privateKey = ${quote(options.tls.key)}, certificateChain = ${quote(options.tls.chain)}))`,
  });
  return file(
    [
      disk('objects', options.objects),
      disk('audit', options.audit),
      ...databaseServices(options.d1),
      internet(options.outbound ?? { reach: [], trust: [] }),
      worker,
    ],
    [struct({ name: quote('https'), address: quote(options.address), https, service: quote('worker') })],
  );
}
