import { Failure } from '../exits.ts';
import { FIELDS, type Parsed, parseKubeconfig } from './document.ts';
import { edit } from './edit.ts';
import { entriesFor, type Entry, markOf, type Reach } from './entries.ts';
import { destination, type Loaded } from './files.ts';
import type { Change } from './layout.ts';

/** Clusters of one plane that are to be in the kubeconfig. */
export interface Addition {
  readonly server: string;
  readonly ca: string | undefined;
  readonly clusters: readonly { readonly id: string; readonly name: string }[];
  /** With `{cluster}`, `{id}` and `{host}`; undefined: what a cluster has, or {@link DEFAULT_TEMPLATE}. */
  readonly template: string | undefined;
  /** Whether the only cluster's context becomes the current one. */
  readonly use: boolean;
}

export const DEFAULT_TEMPLATE = 'outrider-{cluster}';

/** A file that was read. */
interface File extends Loaded {
  readonly parsed: Parsed | null;
}

/**
 * The new texts of the files that change. An entry that is there stays in its file and keeps what the person added to it, such as a namespace; new ones go where kubectl would
 * put them.
 *
 * @returns also the contexts, in the order of the clusters
 * @throws {Failure} `conflict` where a name is taken by an entry that is not ours, or is another cluster's.
 */
export function add(
  loaded: readonly Loaded[],
  addition: Addition,
): { texts: ReadonlyMap<string, string>; contexts: string[] } {
  const files = read(loaded);
  const changes = new Map<string, { put: Entry[]; remove: Change['remove'][number][]; currentContext?: string }>();
  const changeOf = (path: string): { put: Entry[]; remove: Change['remove'][number][]; currentContext?: string } => {
    const change = changes.get(path) ?? { put: [], remove: [] };
    changes.set(path, change);
    return change;
  };
  const home = destination(loaded);
  const contexts: string[] = [];
  for (const cluster of addition.clusters) {
    const isSame = (found: Found): boolean =>
      found.mark?.server === addition.server && found.mark.cluster === cluster.id;
    const old = findAll(files, 'contexts').find(isSame);
    const contextName =
      addition.template === undefined && old !== undefined
        ? old.name
        : fill(addition.template ?? DEFAULT_TEMPLATE, addition.server, cluster);
    if (contexts.includes(contextName)) throw sameName(contextName);
    contexts.push(contextName);
    const reach: Reach = {
      server: addition.server,
      ca: addition.ca,
      clusterId: cluster.id,
      clusterName: cluster.name,
      contextName,
    };
    for (const entry of entriesFor(reach)) {
      const taken = findAll(files, entry.section).find(({ name }) => name === entry.name);
      if (taken !== undefined && !isSame(taken)) throw takenName(entry, taken.path);
      const before = taken ?? (entry.section === 'contexts' ? old : undefined);
      changeOf(before?.path ?? home).put.push(before === undefined ? entry : kept(entry, before));
    }
    if (old !== undefined && old.name !== contextName) {
      changeOf(old.path).remove.push({ section: 'contexts', name: old.name });
      for (const { path } of files.filter((file) => currentOf(file) === old.name)) {
        changeOf(path).currentContext = contextName;
      }
    }
  }
  const [only] = contexts;
  if (addition.use && only !== undefined) changeOf(home).currentContext = only;
  const texts = [...changes].map(([path, change]): [string, string] => [path, edit(path, textOf(files, path), change)]);
  return { texts: new Map(texts), contexts };
}

function fill(template: string, server: string, cluster: { id: string; name: string }): string {
  const values: Readonly<Record<string, string>> = {
    cluster: cluster.name,
    id: cluster.id,
    host: new URL(server).host,
  };
  const name = template.replaceAll(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
  if (name === '' || name.length > 253 || /\p{Cc}|[{}]/u.test(name)) {
    throw new Failure('usage', '--set-context-name must be a name with {cluster}, {id} or {host} in it');
  }
  return name;
}

const sameName = (name: string): Failure =>
  new Failure('usage', `several clusters would have the context ${name}: use {cluster} or {id} in --set-context-name`);

const takenName = ({ section, name }: Entry, path: string): Failure =>
  new Failure(
    'conflict',
    `${path} has a ${FIELDS[section]} ${name} that is not this cluster’s: choose another with --set-context-name, for example '{host}-{cluster}'`,
  );

/** An entry in place of an older one of ours. */
function kept(entry: Entry, { value }: Found): Entry {
  const { 'certificate-authority-data': _, exec: __, ...others } = value;
  return { ...entry, value: { ...others, ...entry.value } };
}

/** An entry that is there. */
interface Found {
  readonly path: string;
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly mark: ReturnType<typeof markOf>;
}

/** The first file that defines a name is the one that counts, as in client-go (`mergo.Merge`, loader.go). */
function findAll(files: readonly File[], section: Entry['section']): Found[] {
  return files.flatMap(({ path, parsed }) =>
    (parsed?.value[section] ?? []).map((entry) => ({
      path,
      name: entry.name,
      value: entry[FIELDS[section]] ?? {},
      mark: markOf(section, entry),
    })),
  );
}

const read = (loaded: readonly Loaded[]): File[] =>
  loaded.map((file) => ({
    ...file,
    parsed: file.text === null || file.text.trim() === '' ? null : parseKubeconfig(file.path, file.text),
  }));

const currentOf = ({ parsed }: File): string => parsed?.value['current-context'] ?? '';

const textOf = (files: readonly Loaded[], path: string): string | null =>
  files.find((file) => file.path === path)?.text ?? null;
