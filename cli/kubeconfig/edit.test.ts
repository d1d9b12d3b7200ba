import * as fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { edit } from './edit.ts';
import { entriesFor, entryName, type Entry } from './entries.ts';

const ID = 'c-gaaaaaaaaaaaaaaaaaa';
const OTHER = 'c-gbbbbbbbbbbbbbbbbbb';
const entries = (id = ID): readonly Entry[] =>
  entriesFor({
    server: 'https://plane.example',
    ca: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n',
    clusterId: id,
    clusterName: 'prod',
    contextName: `outrider-${id}`,
  });
const added = (text: string | null, id = ID): string => edit('config', text, { put: entries(id), remove: [] });
const removed = (text: string, id = ID): string => edit('config', text, { put: [], remove: entries(id) });

const KUBECTL = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: AAAA
    server: https://10.0.0.1:6443
  name: prod
- cluster:
    server: https://10.0.0.2:6443
  name: staging
contexts:
- context:
    cluster: prod
    namespace: web
    user: ann
  name: prod
current-context: prod
kind: Config
preferences: {}
users:
- name: ann
  user:
    token: secret
`;

describe('a round trip leaves every byte', () => {
  test.each([
    ['as kubectl writes it', KUBECTL],
    ['with Windows line ends', KUBECTL.replaceAll('\n', '\r\n')],
    ['with a byte order mark', `\uFEFF${KUBECTL}`],
    ['without a last newline', KUBECTL.trimEnd()],
    ['with comments', KUBECTL.replaceAll(/^( *)name: (\w+)$/gm, '$1# about it\n$1name: $2  # $2\n$1# end')],
    [
      'with comments between entries',
      KUBECTL.replace(
        '- cluster:\n    server: https://10.0.0.2',
        '# second\n\n- cluster:\n    server: https://10.0.0.2',
      ),
    ],
    ['with a comment at the end of a list', KUBECTL.replace('contexts:\n', '# those were the clusters\ncontexts:\n')],
    ['with indented lists', KUBECTL.replaceAll(/^([- ].*)$/gm, '    $1')],
    [
      'with values in braces',
      KUBECTL.replace('cluster:\n    server: https://10.0.0.2:6443', 'cluster: {server: "https://10.0.0.2:6443"}'),
    ],
    ['with block scalars', KUBECTL.replace('token: secret', 'token: |\n      secret\n      more\n\n')],
    ['with empty lists', 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n'],
    ['with keys in quotes', KUBECTL.replaceAll(/^(\w+):/gm, '"$1":')],
    ['with an anchor', KUBECTL.replace('token: secret', 'token: &t secret\n    other: *t')],
  ])('%s', (_, text) => {
    const between = added(text);
    expect(between).toContain(entryName(ID));
    expect(removed(between)).toBe(text.endsWith('\n') ? text : `${text}\n`);
    // Whoever comes in between is left alone as well.
    expect(removed(removed(added(between, OTHER)), OTHER)).toBe(removed(between));
  });

  test('with a key that a schema leaves out', () => {
    const odd = '-   name: ann\n    user:\n        __proto__: secret';
    const text = KUBECTL.replace('- name: ann\n  user:\n    token: secret', odd);
    expect(text).toContain(odd);
    expect(removed(added(text))).toBe(text);
  });

  test('whatever is in it, and however it is laid out', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const named = (field: string) =>
      fc.record({ name: word, [field]: fc.dictionary(word, fc.oneof(word, fc.integer(), fc.constant(null))) });
    const list = (field: string) => fc.uniqueArray(named(field), { maxLength: 4, selector: ({ name }) => name });
    const config = fc.record({
      clusters: list('cluster'),
      contexts: list('context'),
      users: list('user'),
      'current-context': word,
    });
    fc.assert(
      fc.property(config, fc.boolean(), fc.constantFrom(80, 0), (value, indentSeq, lineWidth) => {
        const text = stringify(value, { indentSeq, lineWidth });
        const between = added(text);
        expect(parse(between).users).toHaveLength(value.users.length + 1);
        expect(removed(between)).toBe(text);
      }),
    );
  });
});

describe('what changes', () => {
  test('a new file has what kubectl needs, and no current context', () => {
    const value = parse(added(null));
    expect(value).toMatchObject({ apiVersion: 'v1', kind: 'Config', 'current-context': '' });
    expect(value.users[0]).toEqual({
      name: entryName(ID),
      user: {
        exec: expect.objectContaining({
          apiVersion: 'client.authentication.k8s.io/v1',
          command: 'outrider',
          args: ['token', '--server', 'https://plane.example', '--cluster', ID],
          interactiveMode: 'IfAvailable',
          installHint: expect.stringContaining('npm install --global outrider'),
        }),
        extensions: expect.any(Array),
      },
    });
  });

  test.each([
    ['lists that are null', 'clusters: null\ncontexts:\nusers: ~\n'],
    ['lists that are missing', 'kind: Config\n'],
    ['lists in braces', 'clusters: [{name: a, cluster: {}}]\ncontexts: []\nusers: []\n'],
    ['a mapping in braces', '{clusters: [], contexts: [], users: [] }\n'],
    [
      'dashes on their own lines',
      KUBECTL.replaceAll(/^- /gm, '-\n  ').replace(/contexts:[^]*users/, 'contexts: []\nusers'),
    ],
    ['JSON', JSON.stringify({ clusters: [], contexts: [], users: [] })],
  ])('%s get the entries', (_, text) => {
    const value = parse(added(text));
    expect(value.clusters.at(-1).name).toBe(entryName(ID));
    expect(value.contexts).toHaveLength(1);
    expect(parse(removed(added(text))).clusters).toHaveLength(parse(text).clusters?.length ?? 0);
  });

  test('a comment stays, also where the text cannot be edited in place', () => {
    const text = added('clusters: []\ncontexts: []\nusers: [] # none\n');
    expect(text).toContain('# none');
    expect(removed(text)).toContain('# none');
  });

  test('JSON stays JSON', () => {
    const text = added(JSON.stringify({ clusters: [], contexts: [], users: [] }));
    expect(JSON.parse(text).users).toHaveLength(1);
  });

  test('an entry is replaced where it stands', () => {
    const both = added(added(KUBECTL), OTHER);
    const [cluster] = entries();
    const value = { ...cluster?.value, server: 'https://moved.example' };
    const moved = edit('config', both, { put: [{ section: 'clusters', name: entryName(ID), value }], remove: [] });
    expect(moved.split('\n').filter((line) => !both.includes(line))).toEqual(['    server: https://moved.example']);
    expect(parse(moved).clusters.map(({ name }: { name: string }) => name)).toEqual([
      'prod',
      'staging',
      entryName(ID),
      entryName(OTHER),
    ]);
  });

  test.each(['plain', 'with: colon', "it's", '#', 'yes', '1', 'null', '- x', 'ü 中', '&a'])(
    'the current context may be %j',
    (name) => {
      for (const text of [KUBECTL, 'kind: Config\n', 'current-context:\nkind: Config\n']) {
        expect(parse(edit('config', text, { put: [], remove: [], currentContext: name }))['current-context']).toBe(
          name,
        );
      }
    },
  );
});

describe('a file that is no kubeconfig is left alone, and named', () => {
  test.each([
    ['a list', '- a\n'],
    ['text', 'hello\n'],
    ['two documents', `${KUBECTL}---\n${KUBECTL}`],
    ['a key twice', `${KUBECTL}users: []\n`],
    ['a tab', 'clusters:\n\t- name: x\n'],
    ['clusters that are a mapping', 'clusters: {a: b}\n'],
    ['an entry without a name', 'clusters: [{cluster: {}}]\n'],
    ['names that are mappings', 'clusters: [{name: {a: b}, cluster: {}}]\n'],
    [
      'aliases that grow',
      `a: &a [${'x,'.repeat(50)}]\n${'bcdefgh'.replaceAll(/./g, (key) => `${key}: &${key} [${`*${String.fromCharCode(key.charCodeAt(0) - 1)},`.repeat(50)}]\n`)}`,
    ],
    ['an alias of itself', 'clusters: &a [{name: x, cluster: *a}]\n'],
  ])('%s', (_, text) => {
    expect(() => added(text)).toThrow(/^config is not a kubeconfig that can be changed \(.*\): repair or move it$/);
  });

  test('a key named __proto__ is a key', () => {
    const text = '__proto__:\n  polluted: true\nclusters: []\ncontexts: []\nusers: []\n';
    expect(removed(added(text))).toBe(text);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
