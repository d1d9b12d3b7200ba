import { FOLDERS, isPart, isProject, PARTS } from './parts.ts';
import type { Part } from './parts.ts';

/** What one call of `npm test` runs. */
export interface Selection {
  readonly parts: readonly Part[];
  /** Files that vitest is held to; none: all. */
  readonly paths: readonly string[];
  /** A regular expression that the full name of a test must match. */
  readonly name?: string;
}

/** Whether parts are run in full, not narrowed to files or names. */
export const isWhole = ({ paths, name }: Selection): boolean => paths.length === 0 && name === undefined;

/** `path` lies in `folder`, or holds it. */
const touches = (path: string, folder: string): boolean =>
  `${path}/`.startsWith(`${folder}/`) || `${folder}/`.startsWith(`${path}/`);

/**
 * Reads the arguments of `npm test --`: the word of a part, a path, or else a test's name. Several of one kind widen, of two kinds
 * narrow: `unit frame` is the unit tests whose name holds "frame".
 *
 * @param words the arguments
 * @param isFile tells whether a word is a path of this project
 */
export function select(words: readonly string[], isFile: (word: string) => boolean): Selection {
  const named = words.filter(isPart);
  const others = words.filter((word) => !isPart(word));
  const paths = others.filter(isFile).map((path) => path.replace(/^\.\//, '').replace(/\/+$/, ''));
  const names = others.filter((word) => !isFile(word));
  const parts = PARTS.filter((part) => {
    if (named.length > 0 && !named.includes(part)) return false;
    if (!isProject(part)) return paths.length + names.length === 0;
    return paths.length === 0 || paths.some((path) => FOLDERS[part].some((folder) => touches(path, folder)));
  });
  return { parts, paths, ...(names.length > 0 ? { name: names.join('|') } : {}) };
}
