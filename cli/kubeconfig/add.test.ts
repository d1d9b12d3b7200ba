import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { add, type Addition } from './add.ts';
import type { Loaded } from './files.ts';
import { remove } from './remove.ts';

const ONE = { id: 'c-gaaaaaaaaaaaaaaaaaa', name: 'one' };
const TWO = { id: 'c-gbbbbbbbbbbbbbbbbbb', name: 'two' };
const addition = (more: Partial<Addition> = {}): Addition => ({
  server: 'https://plane.example:8443',
  ca: undefined,
  clusters: [ONE],
  template: undefined,
  use: false,
  ...more,
});
const EMPTY = 'clusters: []\ncontexts: []\nusers: []\n';

/** Files after a change: path to text. */
const after = (files: readonly Loaded[], texts: ReadonlyMap<string, string>): Loaded[] =>
  files.map(({ path, text }) => ({ path, text: texts.get(path) ?? text }));
const contextsOf = (text: string | null | undefined): string[] =>
  parse(text ?? '').contexts.map(({ name }: { name: string }) => name);

describe('several files, as kubectl treats them', () => {
  test('what is new goes to the first that exists; where none does, to the last', () => {
    const files = [
      { path: 'a', text: null },
      { path: 'b', text: EMPTY },
      { path: 'c', text: EMPTY },
    ];
    expect([...add(files, addition()).texts.keys()]).toEqual(['b']);
    const none = files.map(({ path }) => ({ path, text: null }));
    expect([...add(none, addition()).texts.keys()]).toEqual(['c']);
  });

  test('what is there is changed in its file', () => {
    const inB = add([{ path: 'b', text: EMPTY }], addition()).texts.get('b') ?? '';
    const files = [
      { path: 'a', text: EMPTY },
      { path: 'b', text: inB },
    ];
    const { texts } = add(files, addition({ ca: '-----BEGIN CERTIFICATE-----' }));
    expect(
      [...texts.keys()].filter((path) => texts.get(path) !== files.find((file) => file.path === path)?.text),
    ).toEqual(['b']);
    expect(parse(texts.get('b') ?? '').clusters[0].cluster).toHaveProperty('certificate-authority-data');
  });

  test('rm takes it out of every file, and no entry that it did not add', () => {
    const mine = 'clusters: []\ncontexts:\n- {name: outrider-one, context: {cluster: x, user: y}}\nusers: []\n';
    const inB = add([{ path: 'b', text: EMPTY }], addition()).texts.get('b') ?? '';
    const removal = remove(
      [
        { path: 'a', text: mine },
        { path: 'b', text: inB },
      ],
      () => true,
    );
    expect([...removal.texts]).toEqual([['b', EMPTY]]);
  });
});

describe('names of contexts', () => {
  const files = [{ path: 'a', text: EMPTY }];

  test('come from the template', () => {
    const { contexts } = add(files, addition({ clusters: [ONE, TWO], template: '{host}/{cluster}' }));
    expect(contexts).toEqual(['plane.example:8443/one', 'plane.example:8443/two']);
  });

  test.each(['fixed', ''])('that would be the same for several clusters, or none, are refused: %j', (template) => {
    expect(() => add(files, addition({ clusters: [ONE, TWO], template }))).toThrow('--set-context-name');
  });

  test('of somebody else’s context are refused', () => {
    const taken = EMPTY.replace('contexts: []', 'contexts:\n- {name: outrider-one, context: {}}');
    expect(() => add([{ path: 'a', text: taken }], addition())).toThrow(
      'a has a context outrider-one that is not this',
    );
    const other = after(files, add(files, addition({ server: 'https://other.example' })).texts);
    expect(() => add(other, addition({ clusters: [{ ...TWO, name: 'one' }] }))).toThrow('not this cluster');
  });

  test('that a person changed stay, and so does their namespace; a new template renames, and the current one follows', () => {
    const first = add(files, addition({ use: true })).texts.get('a') ?? '';
    const changed = first
      .replace(`cluster: outrider-${ONE.id}\n    ext`, `cluster: outrider-${ONE.id}\n    namespace: web\n    ext`)
      .replaceAll('outrider-one', 'mine');
    const again = after([{ path: 'a', text: changed }], add([{ path: 'a', text: changed }], addition()).texts);
    expect(contextsOf(again[0]?.text)).toEqual(['mine']);
    const renamed = add(again, addition({ template: '{cluster}' })).texts.get('a') ?? '';
    expect(parse(renamed)).toMatchObject({
      contexts: [{ name: 'one', context: { namespace: 'web' } }],
      'current-context': 'one',
    });
  });

  test('the current context is only changed where that is asked', () => {
    const text = `${EMPTY}current-context: mine\n`;
    expect(parse(add([{ path: 'a', text }], addition()).texts.get('a') ?? '')['current-context']).toBe('mine');
    expect(parse(add([{ path: 'a', text }], addition({ use: true })).texts.get('a') ?? '')['current-context']).toBe(
      'outrider-one',
    );
  });
});

test('rm says when the current context went, and which of the person’s contexts lead nowhere', () => {
  const text = add([{ path: 'a', text: EMPTY }], addition({ use: true })).texts.get('a') ?? '';
  const more = text.replace(
    'contexts:\n',
    `contexts:\n- name: mine\n  context:\n    cluster: outrider-${ONE.id}\n    user: me\n`,
  );
  const removal = remove([{ path: 'a', text: more }], () => true);
  expect(removal).toMatchObject({ contexts: ['outrider-one'], wasCurrent: true, dangling: ['mine'] });
  expect(contextsOf(removal.texts.get('a'))).toEqual(['mine']);
});

test('hundreds of clusters take a second, not minutes', () => {
  const clusters = Array.from({ length: 300 }, (_, at) => ({
    id: `c-g${String(at).padStart(18, 'a')}`,
    name: `n${at}`,
  }));
  const { texts } = add([{ path: 'a', text: EMPTY }], addition({ clusters }));
  expect(parse(texts.get('a') ?? '').users).toHaveLength(300);
  expect(add([{ path: 'a', text: texts.get('a') ?? '' }], addition({ clusters })).texts.get('a')).toBe(texts.get('a'));
});
