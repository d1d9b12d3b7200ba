import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Command } from 'commander';
import { getKubeconfig } from '#schema/api/account/tokens.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { add, DEFAULT_TEMPLATE } from '../../kubeconfig/add.ts';
import type { Own } from '../../kubeconfig/entries.ts';
import { changeFiles, kubeconfigFiles } from '../../kubeconfig/files.ts';
import { remove, type Removal } from '../../kubeconfig/remove.ts';
import { openSession, type ServerOptions, type Session } from '../../session.ts';
import { parseServer } from '../../state/servers.ts';
import { findClusters, listAllClusters } from '../find.ts';
import { clustersArgument, ttlOption, withExamples, withServer } from '../options.ts';

interface ChoiceOptions extends ServerOptions {
  readonly all?: boolean;
}
interface AddOptions extends ChoiceOptions {
  readonly use?: boolean;
  readonly setContextName?: string;
  readonly kubeconfig?: string;
}
interface RmOptions {
  readonly all?: boolean;
  readonly server?: string;
  readonly kubeconfig?: string;
}
interface PrintOptions extends ChoiceOptions {
  readonly static?: boolean;
  readonly ttl: number;
  readonly readOnly?: boolean;
  readonly setContextName?: string;
}

const FILE = [
  '--kubeconfig <file>',
  'the only file to look at; default: those of KUBECONFIG, or ~/.kube/config',
] as const;
const TEMPLATE = [
  '--set-context-name <name>',
  `with {cluster}, {id} or {host} in it (new ones: ${DEFAULT_TEMPLATE})`,
] as const;

export function addKubeconfig(parent: Command, io: Io): void {
  const group = parent.command('kubeconfig').description('let kubectl reach clusters through the plane');

  const adding = withServer(
    group
      .command('add')
      .description('add contexts; what is in the file already stays as it is')
      .addArgument(clustersArgument()),
  )
    .option('--all', 'all clusters that you have a role in')
    .option('--use', 'make the context the current one')
    .option(...TEMPLATE)
    .option(...FILE)
    .action((names: string[], options: AddOptions) => addContexts(io, names, options));
  withExamples(
    adding,
    'outrider kubeconfig add prod-eu --use',
    "outrider kubeconfig add --all --set-context-name '{cluster}'",
    'KUBECONFIG=a.yaml:b.yaml outrider kubeconfig add prod-eu   # into the first that exists',
  );

  const removing = group
    .command('rm')
    .alias('remove')
    .description('remove what `kubeconfig add` added, and nothing else; asks no plane')
    .addArgument(clustersArgument())
    .option('--all', 'all contexts that were added')
    .option('--server <url>', 'only those of this plane')
    .option(...FILE)
    .action((names: string[], options: RmOptions) => removeContexts(io, names, options));
  withExamples(removing, 'outrider kubeconfig rm prod-eu', 'outrider kubeconfig rm --all');

  const printing = withServer(
    group.command('print').description('print a kubeconfig of its own').addArgument(clustersArgument()),
  )
    .option('--all', 'all clusters that you have a role in')
    .option('--static', 'with a token in it, for one cluster and for what cannot run outrider')
    .addOption(ttlOption('1h', 'how long that token is good'))
    .option('--read-only', 'a token that only reads')
    .option(...TEMPLATE)
    .action((names: string[], options: PrintOptions) => print(io, names, options));
  withExamples(
    printing,
    'outrider kubeconfig print prod-eu > prod-eu.yaml',
    'outrider kubeconfig print prod-eu --static --ttl 8h --read-only > ci.yaml',
  );
}

async function addContexts(io: Io, names: string[], options: AddOptions): Promise<void> {
  const { session, clusters } = await choose(io, names, options);
  if (options.use === true && clusters.length !== 1) throw new Failure('usage', '--use is for one cluster');
  const paths = kubeconfigFiles(io.env, options.kubeconfig);
  let contexts: string[] = [];
  await changeFiles(paths, io.signal, (files) => {
    const added = add(files, {
      server: session.origin,
      ca: session.ca,
      clusters,
      template: options.setContextName,
      use: options.use === true,
    });
    ({ contexts } = added);
    return added.texts;
  });
  for (const context of contexts) io.out(`${oneLine(context)}\n`);
  if (!isOnPath(io)) {
    io.say('kubectl will run `outrider`, which is not on PATH: install it with `npm install --global outrider`');
  }
  if (options.use !== true && contexts[0] !== undefined)
    io.say(`Try it: kubectl --context ${oneLine(contexts[0])} get pods`);
}

async function removeContexts(io: Io, names: string[], options: RmOptions): Promise<void> {
  requireChoice(names, options.all);
  const server = options.server === undefined ? undefined : parseServer(options.server);
  const isNamed = ({ section, name, mark }: Own): boolean =>
    names.includes(mark.name) || names.includes(mark.cluster) || (section === 'contexts' && names.includes(name));
  const found = new Set<string>();
  const outcomes: Removal[] = [];
  await changeFiles(kubeconfigFiles(io.env, options.kubeconfig), io.signal, (files) => {
    // A context's name means its cluster and its user as well.
    remove(files, (own) => {
      if ((server === undefined || own.mark.server === server) && (options.all === true || isNamed(own))) {
        found.add(`${own.mark.server} ${own.mark.cluster}`);
      }
      return false;
    });
    const removal = remove(files, ({ mark }) => found.has(`${mark.server} ${mark.cluster}`));
    outcomes.push(removal);
    return removal.texts;
  });
  if (found.size === 0 && options.all !== true) {
    throw new Failure('not-found', `nothing was added for ${oneLine(names.join(', '))}: other entries are not touched`);
  }
  for (const { contexts, wasCurrent, dangling } of outcomes) {
    for (const context of contexts) io.out(`${oneLine(context)}\n`);
    if (wasCurrent) io.say('The current context was among them: choose another with `kubectl config use-context`.');
    for (const context of dangling) io.say(`The context ${oneLine(context)}, which is yours, leads nowhere now.`);
  }
}

async function print(io: Io, names: string[], options: PrintOptions): Promise<void> {
  const { session, clusters } = await choose(io, names, options);
  if (options.static !== true) {
    if (options.readOnly === true) throw new Failure('usage', '--read-only needs --static');
    const { texts } = add([{ path: 'stdout', text: null }], {
      server: session.origin,
      ca: session.ca,
      clusters,
      template: options.setContextName,
      use: clusters.length === 1,
    });
    for (const text of texts.values()) io.out(text);
    return;
  }
  const [cluster] = clusters;
  if (cluster === undefined || clusters.length > 1) throw new Failure('usage', '--static is for one cluster');
  io.out(
    await session.api.call(getKubeconfig, {
      params: { cluster: cluster.id },
      query: { ttl: String(options.ttl), readonly: options.readOnly === true ? 'true' : 'false' },
    }),
  );
}

async function choose(
  io: Io,
  names: string[],
  options: ChoiceOptions,
): Promise<{ session: Session; clusters: { id: string; name: string }[] }> {
  requireChoice(names, options.all);
  const session = await openSession(io, options);
  const found =
    options.all === true ? await listAllClusters(session.api) : await findClusters(session, [...new Set(names)]);
  if (found.length === 0) throw new Failure('not-found', 'there are no clusters that you have a role in');
  return { session, clusters: found.map(({ id, metadata }) => ({ id, name: metadata.name })) };
}

function requireChoice(names: readonly string[], all: boolean | undefined): void {
  if (names.length === 0 && all !== true) throw new Failure('usage', 'name a cluster, or say --all');
  if (names.length > 0 && all === true) throw new Failure('usage', 'name clusters or say --all, not both');
}

/** Whether kubectl would find the command that the entries name. */
function isOnPath({ env, platform }: Io): boolean {
  const names = platform === 'win32' ? ['outrider.cmd', 'outrider.exe'] : ['outrider'];
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) =>
    names.some((name) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}
