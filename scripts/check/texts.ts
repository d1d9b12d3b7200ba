import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';

import { PROJECT } from '../lib/project.ts';
import type { Finished } from './process.ts';

/** Made on this machine, not written by anyone. */
const GENERATED = new Set(['node_modules', '.git', '.cache', '.outrider', '.wrangler', 'dist']);

/** Folders that every machine has: naming one says nothing about this machine. */
const COMMON_ROOTS = /^\/(bin|boot|dev|etc|home|lib|media|mnt|opt|proc|run|sbin|srv|sys|tmp|usr|var)(\/|$)/;

/** Variables by which a machine is told where to fetch packages. */
const REGISTRY_VARIABLES = [
  'npm_config_registry',
  'NPM_CONFIG_REGISTRY',
  'GOPROXY',
  'GOSUMDB',
  'PIP_INDEX_URL',
  'CARGO_REGISTRIES_CRATES_IO_INDEX',
];

/** A text that may not be in the project, and why. */
interface Banned {
  readonly pattern: RegExp;
  readonly why: string;
}

const ALWAYS: readonly Banned[] = [
  {
    pattern: /(?:oxlint|eslint)-disable(?!.* -- \S)(?:-next-line|-line)? [\w/@, -]*$/m,
    why: 'a lint rule is switched off without a reason (` -- why`)',
  },
  { pattern: /^\s*"resolved": "https?:/m, why: 'the lockfile names a registry; .npmrc says it must not' },
];

/** What this very machine could leak into a file: its registry, the home folder, where the checkout lies. */
export function machineTexts(environment: NodeJS.ProcessEnv, home: string, project: string): Banned[] {
  const hosts = REGISTRY_VARIABLES.flatMap((name) => (environment[name] ?? '').split(/[,|\s]/))
    .map((address) => (URL.canParse(address) ? new URL(address).host : ''))
    .filter((host) => host !== '');
  const [, first = ''] = project.split('/');
  const places = [home, project, COMMON_ROOTS.test(project) ? '' : `/${first}`].filter((place) => place.length > 1);
  return [
    ...hosts.map((host) => ({
      pattern: new RegExp(RegExp.escape(host)),
      why: 'names a package registry: where packages come from is the machine’s business',
    })),
    ...places.map((place) => ({
      pattern: new RegExp(`(?<![\\w.~/}$-])${RegExp.escape(place)}/`),
      why: 'names a folder of one machine',
    })),
  ];
}

/** Finds banned texts; returns `path:line: why` for each first occurrence in a file. */
export function findBanned(path: string, text: string, banned: readonly Banned[]): string[] {
  return banned.flatMap(({ pattern, why }) => {
    const at = text.search(pattern);
    return at === -1 ? [] : [`${path}:${text.slice(0, at).split('\n').length}: ${why}`];
  });
}

/** Reads every file of the project that a person wrote, the lockfile included. */
export async function checkTexts(): Promise<Finished> {
  const banned = [...ALWAYS, ...machineTexts(process.env, homedir(), PROJECT)];
  const faults: string[] = [];
  const folders = [PROJECT];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (GENERATED.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile())
        faults.push(...findBanned(relative(PROJECT, path), await readFile(path, 'utf8'), banned));
    }
  }
  return { code: faults.length === 0 ? 0 : 1, output: faults.join('\n') };
}
