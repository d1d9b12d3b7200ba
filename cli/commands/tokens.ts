import type { Command } from 'commander';
import { createToken, deleteToken, listTokens } from '#schema/api/account/tokens.ts';
import { TokenId } from '#schema/ids.ts';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import { showList, showOne } from '../output/format.ts';
import { span, TOKENS } from '../output/kinds.ts';
import { all, LARGE_PAGES } from '../plane/api.ts';
import { openSession, type ServerOptions } from '../session.ts';
import { forgetCached } from '../state/cache.ts';
import { findClusters } from './find.ts';
import { duration, type OutputOptions, withExamples, withOutput, withServer } from './options.ts';

interface CreateOptions extends OutputOptions {
  readonly description: string;
  readonly ttl?: number;
  readonly cluster?: string;
  readonly readOnly?: boolean;
}

export function addTokens(parent: Command, io: Io): void {
  const group = parent.command('tokens').description('your tokens');

  const list = withOutput(group.command('list').alias('ls').description('list those that are good now')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      showList(io, options.output, TOKENS, await all(api.items(listTokens, { query: LARGE_PAGES })));
    },
  );
  withExamples(list, 'outrider tokens list', 'outrider tokens list -o wide');

  const create = withOutput(group.command('create').description('make one, and print it: it is shown this once'))
    .option('--description <text>', 'what it is for', '')
    .option('--ttl <time>', 'how long it is good; default: what the plane gives', duration)
    .option('--cluster <cluster>', 'the only cluster that it is for, by name or id')
    .option('--read-only', 'it only reads')
    .action((options: CreateOptions) => createOne(io, options));
  withExamples(
    create,
    "outrider tokens create --description 'nightly backup' --cluster prod-eu --ttl 90d",
    'OUTRIDER_TOKEN=$(outrider tokens create --ttl 1h --read-only) outrider clusters list',
  );

  const revoke = withServer(
    group
      .command('revoke')
      .alias('rm')
      .description('take some back: they stop working within seconds')
      .argument('<id...>', 'ids of tokens'),
  ).action(async (ids: string[], options: ServerOptions) => {
    const wrong = ids.find((id) => !TokenId.safeParse(id).success);
    if (wrong !== undefined) {
      throw new Failure('usage', `${oneLine(wrong)} is not the id of a token: \`outrider tokens list\` shows them`);
    }
    const { api, origin, paths } = await openSession(io, options);
    for (const id of ids) {
      await api.call(deleteToken, { params: { token: id } });
      // kubectl must not be given it again.
      await forgetCached(paths.cacheFolder, origin, (cached) => cached === id);
      io.say(`Revoked ${id}.`);
    }
  });
  withExamples(revoke, 'outrider tokens revoke t-abcdefghij');
}

async function createOne(io: Io, options: CreateOptions): Promise<void> {
  const session = await openSession(io, options);
  const [cluster] = options.cluster === undefined ? [] : await findClusters(session, [options.cluster]);
  const made = await session.api.call(createToken, {
    body: {
      description: options.description,
      ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
      cluster: cluster?.id ?? null,
      readOnly: options.readOnly === true,
    },
  });
  if (options.output !== 'table') {
    showOne(io, options.output, TOKENS, made);
    if (options.output !== 'wide') return;
  } else io.out(`${made.token}\n`);
  io.say(`${made.id} ends in ${span(Date.parse(made.expiresAt) - Date.now() + 1000)}; it is not shown again.`);
}
