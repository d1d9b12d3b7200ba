import { isDeepStrictEqual } from 'node:util';
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
  const { document } = parsed;
  for (const section of SECTIONS) document.set(section, document.createNode(expected[section] ?? []));
  if (change.currentContext !== undefined) document.set('current-context', change.currentContext);
  return document.toString(WRITTEN);
}

/** The change, done to the value. */
function apply({ raw, value }: Pick<Parsed, 'raw' | 'value'>, change: Change): Record<string, unknown> {
  const result: Record<string, unknown> = { ...raw };
  for (const section of SECTIONS) {
    const put = change.put.filter((entry) => entry.section === section);
    const remove = change.remove.filter((entry) => entry.section === section);
    if (put.length === 0 && remove.length === 0) continue;
    const kept = value[section]
      .filter(({ name }) => !remove.some((entry) => entry.name === name))
      .map((entry) => {
        const replacement = put.find(({ name }) => name === entry.name);
        return replacement === undefined ? entry : written(replacement);
      });
    const added = put.filter(({ name }) => !kept.some((entry) => entry.name === name)).map(written);
    result[section] = [...kept, ...added];
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
