import { Argument, type Command, type Option } from 'commander';
import { listTokens } from '#schema/api/account/tokens.ts';
import type { Client } from '#schema/api/client.ts';
import type { Io } from '../io.ts';
import { parseKubeconfig } from '../kubeconfig/document.ts';
import { ownEntries } from '../kubeconfig/entries.ts';
import { kubeconfigFiles } from '../kubeconfig/files.ts';
import { all, LARGE_PAGES } from '../plane/api.ts';
import { listAllClusters, listUsers } from '../commands/find.ts';
import { openSession } from '../session.ts';
import { readText } from '../state/files.ts';
import { statePaths } from '../state/paths.ts';
import { readServers } from '../state/servers.ts';
import { COMPLETIONS, withExamples } from '../commands/options.ts';
import { SCRIPTS, SHELLS, type Shell } from './shells.ts';

/** Whoever pressed Tab waits. */
const PATIENCE_MS = 2000;
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
  const path: string[] = [];
  let pending: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) pending = undefined;
    else if (word.startsWith('-')) pending = takesValue(command, word);
    else {
      const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (next !== undefined) path.push(next.name());
      command = next ?? command;
    }
  }
  const candidates = pending ? await valuesOf(io, pending) : await wordsOf(io, command, path.join(' '), current);
  return candidates.filter((one) => one.startsWith(current) && PLAIN.test(one)).toSorted();
}

function takesValue(command: Command, word: string): Option | undefined {
  const option = command.options.find((one) => one.long === word || one.short === word);
  return option?.required === true ? option : undefined;
}

async function valuesOf(io: Io, option: Option): Promise<readonly string[]> {
  if (option.long === '--server') return await namesOf(io, 'servers');
  if (option.long === '--cluster') return await namesOf(io, 'clusters');
  return option.argChoices ?? [];
}

async function wordsOf(io: Io, command: Command, path: string, current: string): Promise<readonly string[]> {
  if (current.startsWith('-')) return ['--help', ...command.options.flatMap(({ long }) => long ?? [])];
  if (command.commands.length > 0) {
    return command
      .createHelp()
      .visibleCommands(command)
      .map((one) => one.name());
  }
  const [kind] = Object.entries(COMPLETIONS).find(([, paths]) => paths.some((one) => one === path)) ?? [];
  if (kind !== undefined) return await namesOf(io, kind);
  return command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
}

async function namesOf(io: Io, kind: string): Promise<string[]> {
  try {
    return (await NAMES[kind]?.(io)) ?? [];
  } catch {
    return [];
  }
}

const patiently = async (io: Io): Promise<Client> => (await openSession(io, {}, PATIENCE_MS)).api;

const NAMES: Readonly<Record<string, (io: Io) => Promise<string[]>>> = {
  clusters: async (io) => {
    const items = await listAllClusters(await patiently(io));
    return items.map(({ metadata }) => metadata.name);
  },
  users: async (io) => {
    const items = await listUsers(await patiently(io));
    return items.map(({ metadata }) => metadata.name);
  },
  tokens: async (io) => {
    const items = await all((await patiently(io)).items(listTokens, { query: LARGE_PAGES }));
    return items.map(({ id }) => id);
  },
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
