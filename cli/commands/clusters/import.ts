import type { Command } from 'commander';
import { RegistrationTokenKind } from '#schema/resources/kinds/registration-tokens.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showOne } from '../../output/format.ts';
import { type ClusterRow, IMPORTS, span } from '../../output/kinds.ts';
import type { Client } from '#schema/api/client.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import { openSession } from '../../session.ts';
import { listAllClusters } from '../find.ts';
import { follow } from './follow.ts';
import { durationOption, type OutputOptions, withExamples, withOutput } from '../options.ts';

interface ImportOptions extends OutputOptions {
  readonly wait?: boolean;
  readonly timeout: number;
  readonly pasteCaFile?: string;
}

const clusters = endpointsOf(ClusterKind);

export function addImport(group: Command, io: Io): void {
  const command = withOutput(
    group
      .command('import')
      .description('add a cluster, and print the command that connects it: run that with kubectl against the cluster')
      .argument('<name>', 'its name; a cluster that never connected is resumed'),
  )
    .option('--wait', 'follow until its agent is connected')
    .addOption(durationOption('--timeout <time>', 'how long to wait', '10m'))
    .option('--paste-ca-file <path>', "where the plane's CA lies on the machine where the command will be run")
    .action((name: string, options: ImportOptions) => importCluster(io, name, options));
  withExamples(
    command,
    'outrider clusters import prod-eu',
    'outrider clusters import prod-eu --wait --timeout 5m',
    'outrider clusters import prod-eu | KUBECONFIG=prod-eu.yaml sh   # imports at once',
  );
}

async function importCluster(io: Io, name: string, options: ImportOptions): Promise<void> {
  const { api } = await openSession(io, options);
  const cluster = await createOrResume(io, api, name);
  const {
    importCommand,
    status: { expiresAt },
  } = await api.call(endpointsOf(RegistrationTokenKind).create, {
    params: { cluster: cluster.id },
    body: { spec: options.pasteCaFile === undefined ? {} : { caFile: options.pasteCaFile } },
  });
  // In a table it would be one line, and is several.
  if (options.output === 'table' || options.output === 'wide') io.out(`${importCommand}\n`);
  else showOne(io, options.output, IMPORTS, { cluster, importCommand, expiresAt });
  io.say(
    `Run it against the cluster within ${span(Date.parse(expiresAt) - Date.now() + 1000)}; it is good for one agent, once.`,
  );
  if (options.wait === true) await follow(io, api, cluster, { timeoutMs: options.timeout * 1000 });
}

/** A cluster of that name that never connected is the same import, begun before. */
async function createOrResume(io: Io, api: Client, name: string): Promise<ClusterRow> {
  try {
    return await api.call(clusters.create, { body: { metadata: { name }, spec: {} } });
  } catch (error) {
    if (!(error instanceof Failure) || error.exit !== 'conflict') throw error;
    const items = await listAllClusters(api);
    const begun = items.find(({ metadata, status }) => metadata.name === name && status.connectedAt === null);
    if (begun === undefined) throw error;
    io.say(`${oneLine(name)} was added before and never connected: here is a new command.`);
    return begun;
  }
}
