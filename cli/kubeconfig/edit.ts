import { isDeepStrictEqual } from 'node:util';
import { isMap, isSeq } from 'yaml';
import { type Parsed, parseKubeconfig, SECTIONS } from './document.ts';
import { type Change, WRITTEN, written } from './layout.ts';
import { splice } from './splice.ts';

const NEW = 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: ""\nusers: []\n';

/**
 * A kubeconfig with a change, and nothing else changed: what the person wrote, their comments, their order and indentation stay as they are. What the text says afterwards is
 * compared with what it should; a layout that cannot be edited in place, which no tool writes by itself, is written anew.
 *
 * @param text null: there is no file yet
 * @throws {Failure} with the path, where it is no kubeconfig.
 */
export function edit(path: string, text: string | null, change: Change): string {
  const before = text === null || text.trim() === '' ? NEW : text;
  const parsed = parseKubeconfig(path, before);
  const expected = apply(parsed, change);
  if (isDeepStrictEqual(expected, parsed.raw)) return text ?? before;
  if (isJson(before)) return `${JSON.stringify(expected, null, 2)}\n`;
  const edited = splice(before, parsed, change);
  if (edited !== null && says(path, edited, expected)) return edited;
  return rewrite(parsed.document, change);
}

/** The change, done to the tree, which keeps comments and what it can of the layout. */
function rewrite(document: Parsed['document'], change: Change): string {
  for (const section of SECTIONS) {
    const put = new Map(change.put.filter((one) => one.section === section).map((entry) => [entry.name, entry]));
    const remove = new Set(change.remove.filter((one) => one.section === section).map(({ name }) => name));
    if (put.size === 0 && remove.size === 0) continue;
    if (!isSeq(document.get(section))) document.set(section, document.createNode([]));
    const list = document.get(section);
    if (!isSeq(list)) throw new Error('a list that was just made is none');
    // An empty list is `[]` in any layout.
    if (list.items.length === 0) list.flow = false;
    const nameOf = (item: unknown): string => (isMap(item) ? String(item.get('name')) : '');
    list.items = list.items
      .filter((item) => !remove.has(nameOf(item)))
      .map((item) => {
        const replacement = put.get(nameOf(item));
        put.delete(nameOf(item));
        return replacement === undefined ? item : document.createNode(written(replacement));
      });
    for (const entry of put.values()) list.add(document.createNode(written(entry)));
  }
  if (change.currentContext !== undefined) document.set('current-context', change.currentContext);
  return document.toString(WRITTEN);
}

/** The change, done to the value. */
function apply({ raw, value }: Pick<Parsed, 'raw' | 'value'>, change: Change): Record<string, unknown> {
  const result: Record<string, unknown> = { ...raw };
  for (const section of SECTIONS) {
    const put = new Map(change.put.filter((one) => one.section === section).map((entry) => [entry.name, entry]));
    const remove = new Set(change.remove.filter((one) => one.section === section).map(({ name }) => name));
    if (put.size === 0 && remove.size === 0) continue;
    // As they are, and not as they were checked: a schema leaves out what it must, such as a key `__proto__`.
    const old: unknown[] = Array.isArray(raw[section]) ? raw[section] : [];
    const kept = old
      .map((entry, at) => ({ name: value[section][at]?.name ?? '', entry }))
      .filter(({ name }) => !remove.has(name))
      .map(({ name, entry }) => {
        const replacement = put.get(name);
        return { name, entry: replacement === undefined ? entry : written(replacement) };
      });
    const names = new Set(kept.map(({ name }) => name));
    const added = [...put.values()].filter(({ name }) => !names.has(name)).map(written);
    result[section] = [...kept.map(({ entry }) => entry), ...added];
  }
  if (change.currentContext !== undefined) result['current-context'] = change.currentContext;
  return result;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function says(path: string, text: string, expected: object): boolean {
  try {
    return isDeepStrictEqual(parseKubeconfig(path, text).raw, expected);
  } catch {
    return false;
  }
}
