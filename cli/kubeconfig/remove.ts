import { parseKubeconfig } from './document.ts';
import { edit } from './edit.ts';
import { type Own, ownEntries } from './entries.ts';
import type { Loaded } from './files.ts';

/** What became of a removal. */
export interface Removal {
  readonly texts: ReadonlyMap<string, string>;
  /** Names of the contexts that go. */
  readonly contexts: readonly string[];
  /** Whether the current context was among them; then there is none. */
  readonly wasCurrent: boolean;
  /** Contexts that the person made and that lead nowhere now. */
  readonly dangling: readonly string[];
}

/** Takes entries of ours out of all files; nothing else, whatever its name. */
export function remove(loaded: readonly Loaded[], isMeant: (own: Own) => boolean): Removal {
  const files = loaded.flatMap(({ path, text }) =>
    text === null || text.trim() === '' ? [] : [{ path, text, kubeconfig: parseKubeconfig(path, text).value }],
  );
  const found = files.map((file) => ({ ...file, own: ownEntries(file.kubeconfig, isMeant) }));
  const gone = found.flatMap(({ own }) => own);
  const namesOf = (section: Own['section']): Set<string> =>
    new Set(gone.filter((own) => own.section === section).map(({ name }) => name));
  const contexts = namesOf('contexts');
  const clusters = namesOf('clusters');
  const users = namesOf('users');
  const isCurrent = (name: string | null | undefined): boolean => contexts.has(name ?? '');
  const texts = found
    .filter(({ own }) => own.length > 0)
    .map(({ path, text, kubeconfig, own }): [string, string] => [
      path,
      edit(path, text, {
        put: [],
        remove: own,
        ...(isCurrent(kubeconfig['current-context']) ? { currentContext: '' } : {}),
      }),
    ]);
  const dangling = files
    .flatMap(({ kubeconfig }) => kubeconfig.contexts)
    .filter(({ name, context }) => {
      return (
        !contexts.has(name) && (clusters.has(String(context?.['cluster'])) || users.has(String(context?.['user'])))
      );
    })
    .map(({ name }) => name);
  return {
    texts: new Map(texts),
    contexts: [...contexts],
    wasCurrent: files.some(({ kubeconfig }) => isCurrent(kubeconfig['current-context'])),
    dangling,
  };
}
