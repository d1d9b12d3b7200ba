import { Argument, type Command, type Option } from 'commander';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import type { Client } from '#schema/api/client.ts';
import type { Io } from '../io.ts';
import { parseKubeconfig } from '../kubeconfig/document.ts';
import { ownEntries } from '../kubeconfig/entries.ts';
import { kubeconfigFiles } from '../kubeconfig/files.ts';
import { all, LARGE_PAGES } from '../plane/api.ts';
import { listAllClusters, listGroups, listUsers } from '../commands/find.ts';
import { openSession } from '../session.ts';
import { readText } from '../state/files.ts';
import { statePaths } from '../state/paths.ts';
import { readServers } from '../state/servers.ts';
import { COMPLETIONS, type Names, withExamples, wordsOf } from '../commands/options.ts';
import { withMemory } from '../state/names.ts';
import { SCRIPTS, SHELLS, type Shell } from './shells.ts';

/** Whoever pressed Tab waits. */
const PATIENCE_MS = 1500;
/** What a shell can take as a word without quotes; everything else is left to be typed. */
const PLAIN = /^[\w@%+=:,./-]{1,256}$/;

export function addCompletion(root: Command, io: Io): void {
  const command = root
    .command('completion')
    .description('print what makes a shell complete commands, options and names of clusters')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .action((shell: Shell) => io.out(SCRIPTS[shell]));
  withExamples(
    command,
    'source <(outrider completion bash)                    # in ~/.bashrc',
    'source <(outrider completion zsh)                     # in ~/.zshrc, after compinit',
    'outrider completion fish > ~/.config/fish/completions/outrider.fish',
  );
  root
    .command('__complete', { hidden: true })
    .argument('[word...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      for (const candidate of await complete(io, root, words)) io.out(`${candidate}\n`);
    });
}

/** What may stand in place of the last word, which may be empty. Whatever goes wrong, there is just nothing to offer. */
async function complete(io: Io, root: Command, words: readonly string[]): Promise<string[]> {
  const current = words.at(-1) ?? '';
  let command = root;
  let given = 0;
  let pending: Option | undefined;
  // `help clusters get` names a command as `clusters get` does.
  for (const word of words.slice(words.length > 1 && words[0] === 'help' ? 1 : 0, -1)) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith('-')) pending = takesValue(command, word);
    else {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next === undefined) given += 1;
      command = next ?? command;
    }
  }
  const candidates = pending ? await valuesOf(io, pending) : await candidatesOf(io, command, given, current);
  return candidates.filter((one) => one.startsWith(current) && PLAIN.test(one)).toSorted();
}

function takesValue(command: Command, word: string): Option | undefined {
  const option = command.options.find((one) => one.long === word || one.short === word);
  return option?.required === true ? option : undefined;
}

async function valuesOf(io: Io, option: Option): Promise<readonly string[]> {
  if (option.long === '--server') return await namesOf(io, 'servers');
  if (option.long === '--cluster') return await namesOf(io, 'clusters');
  if (option.long === '--user') return await namesOf(io, 'users');
  if (option.long === '--group') return await namesOf(io, 'groups');
  return option.argChoices ?? [];
}

/** @param given how many arguments stand before */
async function candidatesOf(io: Io, command: Command, given: number, current: string): Promise<readonly string[]> {
  if (current.startsWith('-')) return ['--help', ...command.options.flatMap(({ long }) => long ?? [])];
  if (command.commands.length > 0) {
    return command
      .createHelp()
      .visibleCommands(command)
      .map((one) => one.name());
  }
  const choices = command.registeredArguments[given]?.argChoices;
  if (choices !== undefined) return choices;
  const places = COMPLETIONS[wordsOf(command).slice(1).join(' ')] ?? [];
  const kind = places[given] ?? places.at(-1);
  return kind === undefined ? [] : await namesOf(io, kind);
}

async function namesOf(io: Io, kind: Names): Promise<readonly string[]> {
  try {
    return await NAMES[kind](io);
  } catch {
    return [];
  }
}

/** Names that the plane knows: those of now, and where it does not answer those that it knew last. */
const asked =
  (kind: Names, list: (api: Client) => Promise<readonly string[]>) =>
  async (io: Io): Promise<readonly string[]> => {
    const { api, origin, token, paths } = await openSession(io, {}, PATIENCE_MS);
    return await withMemory(paths.cacheFolder, { origin, token, kind }, async () => await list(api));
  };

const nameOf = ({ metadata }: { metadata: { name: string } }): string => metadata.name;

const NAMES: Readonly<Record<Names, (io: Io) => Promise<readonly string[]>>> = {
  clusters: asked('clusters', async (api) => (await listAllClusters(api)).map(nameOf)),
  users: asked('users', async (api) => (await listUsers(api)).map(nameOf)),
  groups: asked('groups', async (api) => (await listGroups(api)).map(nameOf)),
  tokens: asked('tokens', async (api) => (await all(api.resources(TokenKind, LARGE_PAGES))).map(({ id }) => id)),
  servers: async (io) => Object.keys((await readServers(statePaths(io.env).configFile)).servers),
  contexts: async (io) => {
    const texts = await Promise.all(
      kubeconfigFiles(io.env).map(async (path) => ({ path, text: await readText(path) })),
    );
    return texts
      .flatMap(({ path, text }) => (text === null ? [] : ownEntries(parseKubeconfig(path, text).value)))
      .filter(({ section }) => section === 'contexts')
      .map(({ name }) => name);
  },
};
