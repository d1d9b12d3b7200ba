import { Command, CommanderError } from 'commander';
import { addClusters } from './commands/clusters.ts';
import { addCompletion } from './completion/completion.ts';
import { addKubeconfig } from './commands/kubeconfig.ts';
import { addLogin } from './commands/login.ts';
import { addLogout, addWhoAmI } from './commands/logout.ts';
import { withExamples } from './commands/options.ts';
import { addServers } from './commands/servers.ts';
import { addToken } from './commands/token.ts';
import { addTokens } from './commands/tokens.ts';
import { addUsers } from './commands/users.ts';
import { EXITS, type Exit, Failure, oneLine, reasonOf } from './exits.ts';
import type { Io } from './io.ts';
import { CLI_VERSION } from './version.ts';

/** The exit codes, for people who write scripts. */
const CODES = Object.values(EXITS)
  .map(({ code, means }) => `  ${String(code).padEnd(5)}${means}`)
  .join('\n');

/** All commands. Its help goes to standard output, what is wrong with a call to standard error, in one line. */
export function program(io: Io): Command {
  const root = new Command('outrider')
    .description('Reach Kubernetes clusters through an Outrider plane.')
    .version(CLI_VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: io.out,
      writeErr: (text) => io.ask(text),
      outputError: (text) => io.say(`outrider: ${usage(text)}`),
    })
    .exitOverride();
  for (const add of [
    addLogin,
    addLogout,
    addWhoAmI,
    addClusters,
    addKubeconfig,
    addToken,
    addUsers,
    addTokens,
    addServers,
    addCompletion,
  ]) {
    add(root, io);
  }
  withExamples(
    root,
    'outrider login --server https://plane.example.com',
    'outrider clusters list',
    'outrider kubeconfig add prod-eu --use',
  );
  return root.addHelpText('after', `\nExit codes:\n${CODES}`);
}

/** Runs one call. @param words without the program's own name @returns its exit code; never rejects */
export async function run(io: Io, words: readonly string[]): Promise<number> {
  try {
    await program(io).parseAsync(words, { from: 'user' });
    return EXITS.ok.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXITS.ok.code : EXITS.usage.code;
    const exit: Exit = io.signal.aborted ? 'interrupted' : error instanceof Failure ? error.exit : 'error';
    const isPlain = exit === 'interrupted' && !(error instanceof Failure);
    io.say(`outrider: ${isPlain ? 'interrupted' : reasonOf(error)}`);
    return EXITS[exit].code;
  }
}

/** `error: unknown command 'lgoin'\n(Did you mean login?)` as one line that says what to do. */
function usage(text: string): string {
  const line = oneLine(text).replace(/^error: /, '');
  return line.includes('(Did you mean') ? line : `${line.replace(/\.$/, '')} (see outrider --help)`;
}
