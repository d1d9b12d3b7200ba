import type { Command } from 'commander';
import { getClusterTunnels } from '#schema/api/clusters/clusters.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import type { Io } from '../../io.ts';
import { Failure, oneLine } from '../../exits.ts';
import { showFound, showList } from '../../output/format.ts';
import { CLUSTERS, type ClusterRow } from '../../output/kinds.ts';
import { openSession } from '../../session.ts';
import { confirm } from '../../signin/prompt.ts';
import { findClusters, listAllClusters } from '../find.ts';
import { addImport } from './import.ts';
import { addRoles } from './roles.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from '../options.ts';

const clusters = endpointsOf(ClusterKind);

export function addClusters(parent: Command, io: Io): void {
  const group = parent.command('clusters').alias('cluster').description('the clusters of a plane');

  const list = withOutput(group.command('list').alias('ls').description('list those that you have a role in')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      const items = await listAllClusters(api);
      showList<ClusterRow>(io, options.output, CLUSTERS, items);
      if (items.length === 0 && options.output === 'table') {
        io.say(
          'No clusters: import one with `outrider clusters import NAME`, or ask an administrator for a role in one.',
        );
      }
    },
  );
  withExamples(list, 'outrider clusters list', 'outrider clusters list -o wide', 'outrider clusters list -o name');

  const get = withOutput(
    group
      .command('get')
      .description('show some, and whether their agents are connected now')
      .argument('<cluster...>', 'names or ids'),
  ).action(async (names: string[], options: OutputOptions) => {
    const session = await openSession(io, options);
    const rows: ClusterRow[] = [];
    for (const { id } of await findClusters(session, [...new Set(names)])) {
      const params = { cluster: id };
      // Only for one cluster does the plane say whether it is connected.
      const cluster = await session.api.call(clusters.get, { params });
      if (options.output !== 'json' && options.output !== 'yaml') rows.push(cluster);
      else rows.push({ ...cluster, tunnels: (await session.api.call(getClusterTunnels, { params })).items });
    }
    showFound(io, options.output, CLUSTERS, rows);
  });
  withExamples(get, 'outrider clusters get prod-eu', 'outrider clusters get prod-eu -o yaml');

  addImport(group, io);
  addRoles(group, io);

  const rm = withServer(
    group
      .command('rm')
      .alias('delete')
      .description('remove some from the plane; what runs in them is left alone')
      .argument('<cluster...>', 'names or ids'),
  )
    .option('-y, --yes', 'do not ask')
    .action(async (names: string[], options: OutputOptions & { yes?: boolean }) => {
      const session = await openSession(io, options);
      const found = await findClusters(session, [...new Set(names)]);
      const shown = found.map(({ metadata }) => oneLine(metadata.name)).join(', ');
      await confirm(
        io,
        `Remove ${shown} from ${session.origin}? Their agents are cut off for good.`,
        options.yes === true,
      );
      await removeAll(found, async ({ id, metadata }) => {
        await session.api.call(clusters.delete, { params: { cluster: id } });
        io.say(`Removed ${oneLine(metadata.name)}.`);
      });
    });
  withExamples(rm, 'outrider clusters rm staging', 'outrider clusters rm staging --yes');
}

/** Does each, one after another; the first failure ends it and says how far it got. */
async function removeAll<T>(items: readonly T[], removeOne: (item: T) => Promise<void>): Promise<void> {
  for (const [done, item] of items.entries()) {
    try {
      await removeOne(item);
    } catch (error) {
      if (!(error instanceof Failure) || items.length === 1) throw error;
      throw new Failure(error.exit, `${error.message} (${done} of ${items.length} were removed)`, { cause: error });
    }
  }
}
