import { Failure } from '../exits.ts';
import { FIELDS, type Parsed, parseKubeconfig, type Section, SECTIONS } from './document.ts';
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
  const found = index(files);
  const contexts = new Set<string>();
  for (const cluster of addition.clusters) {
    const isSame = ({ mark }: Found): boolean => mark?.server === addition.server && mark.cluster === cluster.id;
    const old = found.contextOf.get(`${addition.server} ${cluster.id}`);
    const contextName =
      addition.template === undefined && old !== undefined
        ? old.name
        : fill(addition.template ?? DEFAULT_TEMPLATE, addition.server, cluster);
    if (contexts.has(contextName)) throw sameName(contextName);
    contexts.add(contextName);
    const reach: Reach = {
      server: addition.server,
      ca: addition.ca,
      clusterId: cluster.id,
      clusterName: cluster.name,
      contextName,
    };
    for (const entry of entriesFor(reach)) {
      const taken = found.byName[entry.section].get(entry.name);
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
  return { texts: new Map(texts), contexts: [...contexts] };
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

/** Everything that is there, by section and name, and our contexts by server and cluster. */
interface Index {
  readonly byName: Readonly<Record<Section, ReadonlyMap<string, Found>>>;
  readonly contextOf: ReadonlyMap<string, Found>;
}

/** The first file that defines a name is the one that counts, as in client-go (`tools/clientcmd/loader.go`, Load). */
function index(files: readonly File[]): Index {
  const byName = {
    clusters: new Map<string, Found>(),
    contexts: new Map<string, Found>(),
    users: new Map<string, Found>(),
  };
  const contextOf = new Map<string, Found>();
  for (const { path, parsed } of files) {
    for (const section of SECTIONS) {
      for (const entry of parsed?.value[section] ?? []) {
        if (byName[section].has(entry.name)) continue;
        const mark = markOf(section, entry);
        const found: Found = { path, name: entry.name, value: entry[FIELDS[section]] ?? {}, mark };
        byName[section].set(entry.name, found);
        const key = mark === null ? '' : `${mark.server} ${mark.cluster}`;
        if (section === 'contexts' && mark !== null && !contextOf.has(key)) contextOf.set(key, found);
      }
    }
  }
  return { byName, contextOf };
}

const read = (loaded: readonly Loaded[]): File[] =>
  loaded.map((file) => ({
    ...file,
    parsed: file.text === null || file.text.trim() === '' ? null : parseKubeconfig(file.path, file.text),
  }));

const currentOf = ({ parsed }: File): string => parsed?.value['current-context'] ?? '';

const textOf = (files: readonly Loaded[], path: string): string | null =>
  files.find((file) => file.path === path)?.text ?? null;
