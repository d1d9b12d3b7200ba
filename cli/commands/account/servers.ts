import type { Command } from 'commander';
import { Failure } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showList } from '../../output/format.ts';
import { SERVERS } from '../../output/kinds.ts';
import { forgetServer } from '../../state/cache.ts';
import { statePaths } from '../../state/paths.ts';
import { changeServers, parseServer, readServers, type Servers } from '../../state/servers.ts';
import { type OutputOptions, withExamples, withOutput } from '../options.ts';

export function addServers(parent: Command, io: Io): void {
  const group = parent.command('servers').description('the planes that you have signed in to');
  const list = withOutput(group.command('list').alias('ls').description('list them')).action(
    async ({ output }: OutputOptions) => {
      const { current, servers } = await readServers(statePaths(io.env).configFile);
      const rows = Object.entries(servers).map(([server, { ca, signIn }]) => ({
        server,
        current: server === current,
        username: signIn?.username ?? null,
        expiresAt: signIn?.expiresAt ?? null,
        ca: ca === undefined ? ('public' as const) : ('own' as const),
      }));
      showList(io, output, SERVERS, rows);
    },
  );
  withExamples(list, 'outrider servers list', 'outrider servers list -o json');

  const use = group
    .command('use')
    .description('make one the current one')
    .argument('<server>', 'its address')
    .action(async (server: string) => {
      const origin = await change(io, server, (servers, current) => ({ ...servers, current }));
      io.say(`${origin} is the current server.`);
    });
  withExamples(use, 'outrider servers use plane.example.com');

  const rm = group
    .command('rm')
    .description('forget one; sign out first, or its token stays good until it ends')
    .argument('<server>', 'its address')
    .action(async (server: string) => {
      const origin = await change(io, server, ({ version, current, servers }, gone) => {
        const { [gone]: _, ...others } = servers;
        return { version, servers: others, ...(current === undefined || current === gone ? {} : { current }) };
      });
      await forgetServer(statePaths(io.env).cacheFolder, origin);
      io.say(`${origin} is forgotten.`);
    });
  withExamples(rm, 'outrider logout --server plane.example.com', 'outrider servers rm plane.example.com');
}

/** Changes the list where a server is in it. @returns its origin */
async function change(io: Io, server: string, to: (servers: Servers, origin: string) => Servers): Promise<string> {
  const origin = parseServer(server);
  await changeServers(statePaths(io.env).configFile, io.signal, (servers) => {
    if (servers.servers[origin] === undefined) {
      throw new Failure('not-found', `${origin} is not known: \`outrider servers list\` shows those that are`);
    }
    return to(servers, origin);
  });
  return origin;
}
