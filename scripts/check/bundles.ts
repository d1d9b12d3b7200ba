import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCli } from '#scripts/cli/bundle.ts';
import { bundleAgent } from '../image/bundle.ts';
import { auditBundle, metafileSchema } from './bundle-audit.ts';
import type { BundlePolicy } from './bundle-audit.ts';
import { runTool } from './process.ts';
import type { Finished } from './process.ts';

const NODE_SOCKETS = 'it speaks through sockets of Node, which the edge has not';

const WORKERS_MODULES = new Set([
  'cloudflare:workers',
  'cloudflare:sockets',
  'node:crypto',
  // Under ldapts, all of them supplied by nodejs_compat.
  ...['node:assert', 'node:events', 'node:net', 'node:stream', 'node:tls', 'node:util'],
]);

const WORKER: BundlePolicy = {
  name: 'worker',
  packages: {
    hono: 'routes of /v1',
    jose: 'signed tokens',
    zod: 'validation',
    yaml: 'the import manifest and kubeconfigs',
    'openid-client': 'sign-in with OpenID Connect',
    oauth4webapi: 'under openid-client',
    '@zxcvbn-ts/core': 'how easily a new password is guessed',
    '@zxcvbn-ts/language-common': 'rows of the keyboard',
    'fastest-levenshtein': 'under @zxcvbn-ts/core',
    ldapts: 'LDAP, evaluated by the first question to a directory that is asked directly',
  },
  refused: {
    '@kubernetes/client-node': 'the plane speaks to no API server itself; the agent does',
    ws: NODE_SOCKETS,
    undici: NODE_SOCKETS,
    'https-proxy-agent': NODE_SOCKETS,
    'prom-client': 'counters in an isolate that comes and goes mean nothing',
  },
  folders: ['workers', 'ldap', 'schema'],
  supplied: (module) => WORKERS_MODULES.has(module),
  // A cold start compiles all of it; Cloudflare's own limit (3 MB gzipped on the free plan) is far above.
  maxBytes: 1_500_000,
};

/** Native modules that ws and proxy-agent-negotiate try to load, and do without. */
const NATIVE_EXTRAS = new Set(['bufferutil', 'utf-8-validate', 'kerberos']);

const AGENT: BundlePolicy = {
  name: 'agent',
  packages: {
    ws: 'the tunnel’s socket, and upgrades to the API server',
    undici: 'pooled connections to the API server',
    'https-proxy-agent': 'dials through a company’s proxy',
    'agent-base': 'under https-proxy-agent',
    'proxy-agent-negotiate': 'under https-proxy-agent',
    debug: 'under https-proxy-agent',
    ms: 'under debug',
    'supports-color': 'under debug',
    'prom-client': '/metrics',
    '@opentelemetry/api': 'under prom-client',
    tdigest: 'under prom-client',
    bintrees: 'under tdigest',
    jose: 'the agent’s credential',
    zod: 'validation',
    ldapts: 'LDAP, loaded by the first question to a directory',
  },
  refused: {
    hono: 'two plain endpoints need no router',
    '@kubernetes/client-node': 'five calls do not need its 14 MiB resident (schema/decisions/0009-agent-memory.md)',
  },
  folders: ['agent', 'ldap', 'schema'],
  supplied: (module) => isBuiltin(module) || NATIVE_EXTRAS.has(module),
  // It is resident on every cluster. One `import { z }` instead of `import * as z` brings all of zod and its languages, 350 kB and 8 MiB resident.
  maxBytes: 1_100_000,
};

const CLI: BundlePolicy = {
  name: 'cli',
  packages: {
    commander: 'commands and options',
    yaml: 'kubeconfigs, and -o yaml',
    zod: 'validation',
    'https-proxy-agent': 'dials through a company’s proxy',
    'agent-base': 'under https-proxy-agent',
    'proxy-agent-negotiate': 'under https-proxy-agent',
    debug: 'under https-proxy-agent',
    ms: 'under debug',
    'supports-color': 'under debug',
  },
  refused: {
    undici: 'it needs a Node that not everybody has; Node’s own https will do',
    jose: 'tokens are opaque to clients',
  },
  folders: ['cli', 'schema'],
  supplied: (module) => isBuiltin(module) || NATIVE_EXTRAS.has(module),
  // kubectl starts it for each command.
  maxBytes: 700_000,
};

/** Bundles the Worker as a deployment would, without one, and judges what is in it. */
export async function checkWorkerBundle(): Promise<Finished> {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-bundle-'));
  try {
    const deploy = await runTool('wrangler', 'deploy', '--dry-run', '--outdir', folder, '--metafile');
    if (deploy.code !== 0) return deploy;
    return verdict(JSON.parse(await readFile(join(folder, 'bundle-meta.json'), 'utf8')), WORKER);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bundles the agent as its image does, and judges what is in it. */
export async function checkAgentBundle(): Promise<Finished> {
  const { metafile } = await bundleAgent();
  return verdict(metafile, AGENT);
}

/** Bundles the CLI as its package does, and judges what is in it. */
export async function checkCliBundle(): Promise<Finished> {
  const { metafile } = await bundleCli();
  return verdict(metafile, CLI);
}

function verdict(metafile: unknown, policy: BundlePolicy): Finished {
  const faults = auditBundle(metafileSchema.parse(metafile), policy);
  return { code: faults.length === 0 ? 0 : 1, output: faults.join('\n') };
}
