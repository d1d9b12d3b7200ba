import { isCollection, isMap, isPair, isScalar, isSeq, type Node, type Pair, stringify, type YAMLSeq } from 'yaml';
import { type Parsed, SECTIONS, type Section } from './document.ts';
import type { Entry } from './entries.ts';
import { type Change, scalar, WRITTEN, written } from './layout.ts';

/** A part of a text and what comes in its place. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** A layout is not one that is edited in place. */
class Unusual extends Error {}

/**
 * Edits a kubeconfig's text by lines: own entries go out, come in behind the last of their list, or are replaced where they stand.
 *
 * @returns null where the layout is not the usual one of a list: one entry from each dash
 */
export function splice(text: string, { document }: Parsed, change: Change): string | null {
  const { contents } = document;
  if (!isMap(contents) || contents.flow === true) return null;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  try {
    const splices: Splice[] = [];
    const missing: string[] = [];
    for (const section of SECTIONS) {
      const pair = contents.items.find(({ key }) => isScalar(key) && key.value === section);
      if (pair === undefined) {
        const put = change.put.filter((entry) => entry.section === section);
        if (put.length > 0) missing.push(`${section}:\n${render(put, 0)}`);
      } else splices.push(...inSection(text, { section, pair, change }));
    }
    if (change.currentContext !== undefined) {
      const pair = contents.items.find(({ key }) => isScalar(key) && key.value === 'current-context');
      if (pair === undefined) missing.push(`current-context: ${scalar(change.currentContext)}\n`);
      else splices.push(valueOf(text, pair, ` ${scalar(change.currentContext)}`));
    }
    const end = text.endsWith('\n') || missing.length === 0 ? '' : '\n';
    splices.push({ from: text.length, to: text.length, text: `${end}${missing.join('')}` });
    return perform(text, splices, newline);
  } catch (error) {
    if (error instanceof Unusual) return null;
    throw error;
  }
}

function perform(text: string, splices: readonly Splice[], newline: string): string {
  let result = '';
  let at = 0;
  for (const { from, to, text: put } of splices.toSorted((one, other) => one.from - other.from || one.to - other.to)) {
    if (from < at) throw new Unusual();
    result += text.slice(at, from) + (newline === '\n' ? put : put.replaceAll('\n', newline));
    at = to;
  }
  return result + text.slice(at);
}

function inSection(
  text: string,
  { section, pair, change }: { section: Section; pair: Pair; change: Change },
): Splice[] {
  const put = change.put.filter((entry) => entry.section === section);
  const remove = new Set(change.remove.filter((entry) => entry.section === section).map(({ name }) => name));
  if (put.length === 0 && remove.size === 0) return [];
  const list = pair.value;
  if (!isSeq(list) || list.items.length === 0) {
    if (put.length === 0) return [];
    const empty = valueOf(text, pair, `\n${render(put, 0).trimEnd()}`);
    // A comment behind it would end up behind our last entry.
    if (text.slice(empty.to, lineEnd(text, empty.to)).trim() !== '') throw new Unusual();
    return [empty];
  }
  const items = itemsOf(text, list);
  const byName = new Map(put.map((entry) => [entry.name, entry]));
  const names = new Set(items.map(({ name }) => name));
  const splices = items.flatMap(({ name, from, to, indent }): Splice[] => {
    if (remove.has(name)) return [{ from, to, text: '' }];
    const value = byName.get(name);
    return value === undefined ? [] : [{ from, to, text: render([value], indent) }];
  });
  const added = put.filter((entry) => !names.has(entry.name));
  const [first] = items;
  const last = items.at(-1);
  if (first === undefined || last === undefined) throw new Unusual();
  if (added.length === 0 && items.every(({ name }) => remove.has(name))) {
    const empty = valueOf(text, pair, ' []');
    // A comment among the entries is the person's.
    if (text.slice(empty.from, first.from).trim() !== '' || hasGaps(items)) throw new Unusual();
    return [{ from: empty.from, to: last.to, text: ' []\n' }];
  }
  const end = text.endsWith('\n') || last.to < text.length ? '' : '\n';
  return [
    ...splices,
    { from: last.to, to: last.to, text: added.length === 0 ? '' : end + render(added, first.indent) },
  ];
}

const hasGaps = (items: readonly Item[]): boolean =>
  items.some(({ to }, at) => (items[at + 1] ?? { from: to }).from !== to);

/** Entries as lines, their dashes behind `indent` spaces. */
function render(entries: readonly Entry[], indent: number): string {
  return stringify(entries.map(written), WRITTEN).replaceAll(/^(?=.)/gm, ' '.repeat(indent));
}

/** An entry's own lines. */
interface Item {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly indent: number;
}

function itemsOf(text: string, list: YAMLSeq): Item[] {
  if (list.flow === true) throw new Unusual();
  return list.items.map((item) => {
    if (!isMap(item) || !item.range) throw new Unusual();
    const from = text.lastIndexOf('\n', item.range[0]) + 1;
    const [, spaces] = /^( *)- *$/.exec(text.slice(from, item.range[0]).replace('\uFEFF', '')) ?? [];
    const name = item.get('name');
    if (spaces === undefined || typeof name !== 'string') throw new Unusual();
    return { name, from, to: lineEnd(text, lastCharacter(item)), indent: spaces.length };
  });
}

/** The place behind a pair's colon and up to where its value ends. */
function valueOf(text: string, { key, value }: Pair, put: string): Splice {
  if (!isScalar(key) || !key.range) throw new Unusual();
  const colon = text.indexOf(':', key.range[1]);
  if (colon === -1 || text.slice(key.range[1], colon).trim() !== '') throw new Unusual();
  const from = colon + 1;
  if (!isScalar(value) && !isCollection(value)) throw new Unusual();
  // A key without a value has an empty one, which lies somewhere behind it.
  const isEmpty = isScalar(value) && value.source === '';
  const to = isEmpty ? from : (value.range?.[1] ?? 0);
  if (to < from) throw new Unusual();
  return { from, to, text: put };
}

/** Where the last of a node's characters is. */
function lastCharacter(node: Node): number {
  const last = isCollection(node) && node.flow !== true ? node.items.at(-1) : undefined;
  const inner = isPair(last) ? (last.value ?? last.key) : last;
  if (inner !== undefined && inner !== null && isNode(inner) && inner.range && inner.range[1] > inner.range[0]) {
    return lastCharacter(inner);
  }
  if (isPair(last) && isNode(last.key)) return lastCharacter(last.key);
  if (!node.range) throw new Unusual();
  return node.range[1] - 1;
}

const isNode = (value: unknown): value is Node => isScalar(value) || isCollection(value);

/** Behind the newline of the line in which a character is. */
function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline === -1 ? text.length : newline + 1;
}
