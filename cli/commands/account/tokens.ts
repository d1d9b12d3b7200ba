import type { Command } from 'commander';
import { deleteOwnTokens } from '#schema/api/account/tokens.ts';
import { TokenId } from '#schema/ids.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showList, showOne } from '../../output/format.ts';
import { NEW_TOKENS, span, TOKENS } from '../../output/kinds.ts';
import { all, LARGE_PAGES } from '../../plane/api.ts';
import { openSession, type ServerOptions } from '../../session.ts';
import { confirm } from '../../signin/prompt.ts';
import { forgetCached, forgetServer } from '../../state/cache.ts';
import { changeServers, withoutSignIn } from '../../state/servers.ts';
import { findClusters } from '../find.ts';
import { type OutputOptions, ttlOption, withExamples, withOutput, withServer } from '../options.ts';

const tokens = endpointsOf(TokenKind);

interface CreateOptions extends OutputOptions {
  readonly description: string;
  readonly ttl?: number;
  readonly cluster?: string;
  readonly readOnly?: boolean;
}

interface RevokeOptions extends ServerOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
}

export function addTokens(parent: Command, io: Io): void {
  const group = parent.command('tokens').description('your tokens');

  const list = withOutput(group.command('list').alias('ls').description('list those that are good now')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      showList(io, options.output, TOKENS, await all(api.resources(TokenKind, LARGE_PAGES)));
    },
  );
  withExamples(list, 'outrider tokens list', 'outrider tokens list -o wide');

  const create = withOutput(group.command('create').description('make one, and print it: it is shown this once'))
    .option('--description <text>', 'what it is for', '')
    .addOption(ttlOption(undefined, 'how long it is good; default: what the plane gives'))
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
      .argument('[id...]', 'ids of tokens'),
  )
    .option('--all', 'all of yours, with every session, this one too')
    .option('-y, --yes', 'do not ask')
    .action((ids: string[], options: RevokeOptions) => revokeSome(io, ids, options));
  withExamples(revoke, 'outrider tokens revoke t-abcdefghij', 'outrider tokens revoke --all');
}

async function revokeSome(io: Io, ids: readonly string[], options: RevokeOptions): Promise<void> {
  if (ids.length === 0 && options.all !== true) throw new Failure('usage', 'name a token, or say --all');
  if (ids.length > 0 && options.all === true) throw new Failure('usage', 'name tokens or say --all, not both');
  const wrong = ids.find((id) => !TokenId.safeParse(id).success);
  if (wrong !== undefined) {
    throw new Failure('usage', `${oneLine(wrong)} is not the id of a token: \`outrider tokens list\` shows them`);
  }
  const { api, origin, paths } = await openSession(io, options);
  if (options.all === true) {
    await confirm(io, `Take back all of your tokens and end every session at ${origin}?`, options.yes === true);
    await api.call(deleteOwnTokens);
    await forgetServer(paths.cacheFolder, origin);
    await changeServers(paths.configFile, io.signal, withoutSignIn(origin));
    io.say(`All of your tokens at ${origin} are taken back: sign in again to go on.`);
    return;
  }
  for (const id of new Set(ids)) {
    await api.call(tokens.delete, { params: { token: id } });
    // kubectl must not be given it again.
    await forgetCached(paths.cacheFolder, origin, (cached) => cached === id);
    io.say(`Revoked ${id}.`);
  }
}

async function createOne(io: Io, options: CreateOptions): Promise<void> {
  // It would be lost: nobody is shown it again.
  if (options.output === 'name') throw new Failure('usage', '-o name would not show the token: choose another format');
  const session = await openSession(io, options);
  const [cluster] = options.cluster === undefined ? [] : await findClusters(session, [options.cluster]);
  const made = await session.api.call(tokens.create, {
    body: {
      spec: {
        description: options.description,
        ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
        cluster: cluster?.id ?? null,
        readOnly: options.readOnly === true,
      },
    },
  });
  if (options.output === 'table') io.out(`${made.token}\n`);
  else showOne(io, options.output, NEW_TOKENS, made);
  if (options.output === 'json' || options.output === 'yaml') return;
  io.say(`${made.id} ends in ${span(Date.parse(made.status.expiresAt) - Date.now() + 1000)}; it is not shown again.`);
}
