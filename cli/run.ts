import { Command, CommanderError } from 'commander';
import { addClusters } from './commands/clusters/clusters.ts';
import { addCompletion } from './completion/completion.ts';
import { addKubeconfig } from './commands/clusters/kubeconfig.ts';
import { addLogin } from './commands/account/login.ts';
import { addLogout, addWhoAmI } from './commands/account/logout.ts';
import { withExamples, wordsOf } from './commands/options.ts';
import { addServers } from './commands/account/servers.ts';
import { addToken } from './commands/account/token.ts';
import { addTokens } from './commands/account/tokens.ts';
import { addGroups } from './commands/people/groups.ts';
import { addUsers } from './commands/people/users.ts';
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
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: io.out,
      writeErr: (text) => io.ask(text),
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
    addGroups,
    addTokens,
    addServers,
    addCompletion,
    addHelp,
  ]) {
    add(root, io);
  }
  for (const command of commandsOf(root)) {
    if (command.commands.length > 0 && command !== root)
      command.helpCommand('help [command]', 'print help for a command');
    command.configureOutput({ outputError: (text) => io.say(`outrider: ${usage(text, wordsOf(command))}`) });
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

/** `help clusters get` is `clusters get --help`: Commander's own looks no further than one word. */
function addHelp(root: Command): void {
  const command = root
    .command('help')
    .description('print help for a command')
    .argument('[command...]', 'its words')
    .action((words: string[]) => {
      let found = root;
      for (const word of words) {
        const next = found.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (next === undefined) {
          throw new Failure(
            'usage',
            `there is no command ${[...wordsOf(found), word].join(' ')} (see ${wordsOf(found).join(' ')} --help)`,
          );
        }
        found = next;
      }
      found.outputHelp();
    });
  withExamples(command, 'outrider help clusters import');
}

/** A command and all below it. */
export const commandsOf = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsOf)];

/** `error: unknown command 'lgoin'\n(Did you mean login?)` as one line that says what to do. */
function usage(text: string, words: readonly string[]): string {
  const line = oneLine(text).replace(/^error: /, '');
  return line.includes('(Did you mean') ? line : `${line.replace(/\.$/, '')} (see ${words.join(' ')} --help)`;
}
