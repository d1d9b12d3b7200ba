import { parseArgs } from 'node:util';
import { startCluster } from './cluster.ts';
import { Problem } from '../lib/problem.ts';

const USAGE = 'usage: node scripts/demo/main.ts up --dir <folder> [--name <name>] [--api-only] [--audit-log]';

/** Runs one cluster in the foreground until Ctrl-C, for work on Outrider itself. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      dir: { type: 'string' },
      name: { type: 'string', default: 'demo' },
      'api-only': { type: 'boolean', default: false },
      'audit-log': { type: 'boolean', default: false },
    },
  });
  if (positionals.join(' ') !== 'up' || values.dir === undefined) throw new Problem(USAGE);
  const interrupted = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  const cluster = await startCluster({
    dir: values.dir,
    name: values.name,
    apiOnly: values['api-only'],
    auditLog: values['audit-log'],
    log: (line) => console.log(line),
  });
  console.log(`export KUBECONFIG=${cluster.adminKubeconfig}`);
  console.log(`kubectl: ${cluster.kubectlPath}`);
  await interrupted;
  await cluster.stop();
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Problem ? error.message : error);
  process.exitCode = 1;
}
