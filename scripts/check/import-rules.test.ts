import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = resolve(import.meta.dirname, '../..');
const bin = (name: string): string => join(repository, 'node_modules/.bin', name);

/** [file, its text, a part of the message that must be shown; `undefined`: no complaint]. */
const CASES: readonly (readonly [string, string, string | undefined])[] = [
  ['schema/a.ts', `import 'hono'`, 'schema is the contract'],
  ['schema/b.ts', `import 'node:crypto'`, 'schema is the contract'],
  ['schema/c.ts', `import 'cloudflare:workers'`, 'schema is the contract'],
  ['schema/d.ts', `import '#workers/log.ts'`, 'schema is the contract'],
  ['schema/e.ts', `import 'zod'; import './f.ts'; import '../g.ts'; import '#schema/h.ts'`, undefined],
  ['schema/f.ts', `import type { X } from 'ws'; export type Y = X`, 'schema is the contract'],
  ['schema/g.ts', `export const x = await import('ws')`, 'schema is the contract'],

  ['ldap/a.ts', `import '#agent/main.ts'`, 'gives it the connection'],
  ['ldap/b.ts', `import 'cloudflare:sockets'`, 'gives it the connection'],
  ['ldap/c.ts', `import 'ldapts'; import '#schema/x.ts'; import './x.ts'`, undefined],

  ['workers/http/a.ts', `import '#agent/main.ts'`, 'meet in schema'],
  ['workers/http/b.ts', `import '../../agent/main.ts'`, 'import by #alias'],
  ['workers/http/c.ts', `import '#scripts/x.ts'`, 'scripts build and run'],
  ['agent/a.ts', `import '#workers/log.ts'`, 'meet in schema'],
  ['agent/b.ts', `import 'cloudflare:workers'`, 'runs in Node'],
  ['agent/c.ts', `import 'node:fs'; import '#schema/x.ts'; import 'ws'`, undefined],
  ['agent/d.ts', `import 'fs'`, 'node:fs'],
  ['agent/e.ts', `export const x = process.env['X']`, 'process.env'],
  ['agent/config.ts', `export const x = process.env['X']`, undefined],
  ['cli/a.ts', `import '#workers/log.ts'`, 'knows the plane by its API'],
  ['cli/b.ts', `import '#agent/main.ts'`, 'at people’s desks'],
  ['cli/c.ts', `import 'undici'`, 'Node’s own https'],
  ['cli/d.ts', `import 'node:fs'; import '#schema/x.ts'; import './x.ts'; import 'commander'`, undefined],
  ['cli/e.ts', `export const x = process.env['X']`, 'process.env'],
  ['cli/main.ts', `export const x = process.env['X']`, undefined],
  ['agent/g.ts', `import '#cli/main.ts'`, 'nothing knows it'],
  ['workers/http/e.ts', `import '#cli/main.ts'`, 'nothing knows it'],
  ['scripts/d.ts', `import '#cli/main.ts'`, 'bundle the CLI by path'],
  ['scripts/a.ts', `import '#workers/log.ts'`, 'bundle the Worker by path'],
  ['scripts/b.ts', `import '#agent/main.ts'`, 'bundle the agent by path'],
  ['scripts/c.ts', `import 'node:fs'; import '#schema/x.ts'`, undefined],

  ['workers/store/a.ts', `import '../http/x.ts'`, 'Arrows point right'],
  ['workers/store/b.ts', `import '#workers/access/x.ts'`, 'Arrows point right'],
  ['workers/access/a.ts', `import '../cluster/x.ts'`, 'Arrows point right'],
  ['workers/authn/a.ts', `import '../authz/x.ts'`, 'Arrows point right'],
  ['workers/authz/a.ts', `import '../cluster/x.ts'`, 'Arrows point right'],
  ['workers/cluster/a.ts', `import '../connect/x.ts'`, 'Arrows point right'],
  ['workers/api/deep/a.ts', `import '../../http/x.ts'`, 'Arrows point right'],
  ['workers/api/b.ts', `import '../proxy/x.ts'`, 'Arrows point right'],
  ['workers/api/e.ts', `import '../resources/x.ts'`, 'Arrows point right'],
  ['workers/resources/a.ts', `import '../http/x.ts'`, 'Arrows point right'],
  ['workers/resources/b.ts', `import '../api/x.ts'; import '../store/x.ts'`, undefined],
  ['workers/api/c.ts', `import '../index.ts'`, 'entry point or a barrel'],
  ['workers/env.ts', `import './store/x.ts'`, 'imports no layer'],
  ['workers/log.ts', `import '#workers/store/x.ts'`, 'imports no layer'],
  ['workers/any.ts', `import './api/x.ts'`, 'imports no layer'],
  ['workers/access/dispatcher.ts', `import '../cluster/x.ts'`, 'Arrows point right'],
  ['workers/authn/password.ts', `import 'node:fs'`, 'the one exception'],
  ['workers/cluster/object.ts', `import 'cloudflare:sockets'`, 'nothing more'],
  ['workers/http/direct.ts', `export const x = await import('cloudflare:sockets')`, undefined],
  ['workers/http/direct.ts', `import 'cloudflare:workers'`, 'to ask a directory'],
  [
    'workers/http/d.ts',
    `import '../api/x.ts'; import '../store/x.ts'; import '../env.ts'; import './e.ts'; import 'hono'`,
    undefined,
  ],
  ['workers/authz/b.ts', `import '../authn/x.ts'; import '../access/x.ts'`, undefined],
  ['workers/index.ts', `import './http/x.ts'; import 'cloudflare:workers'; export default {}`, undefined],

  ['workers/cluster/b.ts', `import 'cloudflare:workers'`, 'touch the runtime'],
  ['workers/cluster/object.ts', `import 'cloudflare:workers'`, undefined],
  ['workers/cluster/c.ts', `import 'node:crypto'`, 'web APIs'],
  ['workers/access/dispatcher.ts', `import 'cloudflare:workers'; import '../store/x.ts'`, undefined],
  ['workers/access/b.ts', `import 'cloudflare:sockets'`, 'touch the runtime'],
  ['workers/authn/password.ts', `import 'node:crypto'`, undefined],
  ['workers/authn/b.ts', `import 'node:crypto'`, 'web APIs'],

  ['workers/api/sql.ts', `export const x = (db: { prepare: () => void }) => db.prepare()`, 'SQL lives in'],
  ['workers/store/sql.ts', `export const x = (db: { prepare: () => void }) => db.prepare()`, undefined],
  ['workers/cluster/sql.ts', `export const x = (s: { sql: unknown }) => s.sql`, 'SQL lives in'],
  [
    'workers/cluster/take.ts',
    `export const x = (s: { sql: unknown }) => { const { sql } = s; return sql; }`,
    'SQL lives in',
  ],
  ['workers/store/object.ts', `export const x = (s: { sql: unknown }) => s.sql`, 'SQL lives in'],
  ['workers/cluster/storage.ts', `export const x = (s: { sql: unknown }) => s.sql`, undefined],

  ['agent/f.ts', `import '#test/x.ts'`, 'nothing imports test'],
  ['workers/http/x.test.ts', `import 'node:fs'; import '#test/x.ts'; import '../store/x.ts'`, undefined],
  ['test/e2e/a.test.ts', `import 'cloudflare:test'`, 'lives in test/workerd'],
  ['test/workerd/a.test.ts', `import 'cloudflare:test'; import '#workers/cluster/x.ts'`, undefined],
  ['test/support/a.ts', `import '../../workers/log.ts'`, 'import by #alias'],
  ['schema/h.ts', `export * from './e.ts'`, 'Barrel'],
  ['schema/i.ts', `import './e'`, '.ts extension'],
  ['schema/j.ts', `export default 1`, 'default'],
  ['schema/cycle-a.ts', `import { b } from './cycle-b.ts'; export const a = () => b`, 'cycle'],
  ['schema/cycle-b.ts', `import { a } from './cycle-a.ts'; export const b = () => a`, 'cycle'],
  ['agent/long.ts', `export const x = [\n${'  1,\n'.repeat(360)}];`, 'Maximum'],
];

interface Diagnostic {
  readonly filename: string;
  readonly message: string;
  readonly help?: string;
}

let folder = '';
const diagnostics = new Map<number, Diagnostic[]>();

/** A file that occurs twice lies in a tree of its own each time. */
const treeOf = (index: number): number => CASES.slice(0, index).filter(([file]) => file === CASES[index]?.[0]).length;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-lint-'));
  for (const [index, [file, source]] of CASES.entries()) {
    const path = join(folder, String(treeOf(index)), file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${source};\n`);
  }
  const config = pathToFileURL(join(repository, 'oxlint.config.ts')).href;
  // Here the files have no types; globs are relative to the configuration that is used.
  const text = `import config from '${config}';\nexport default { ...config, options: { ...config.options, typeAware: false } };\n`;
  for (const tree of new Set(CASES.keys().map(treeOf))) {
    const path = join(folder, String(tree));
    await writeFile(join(path, 'oxlint.config.ts'), text);
    diagnostics.set(tree, await lint(path));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the linter over a tree of fixtures; finding faults is its success here. */
async function lint(cwd: string): Promise<Diagnostic[]> {
  const output = await new Promise<string>((done, fail) => {
    execFile(bin('node'), [bin('oxlint'), '--format=json'], { cwd, maxBuffer: 1 << 24 }, (error, out, err) => {
      if (out.startsWith('{')) done(out);
      else fail(new Error(`oxlint said: ${out}${err}`, { cause: error }));
    });
  });
  return JSON.parse(output).diagnostics;
}

test.each(CASES.map((each, index) => [...each, index] as const))('%s: %s', (file, _source, complaint, index) => {
  const found = (diagnostics.get(treeOf(index)) ?? [])
    .filter(({ filename }) => filename === file)
    .map(({ message, help }) => `${message} ${help ?? ''}`);
  if (complaint === undefined) expect(found).toEqual([]);
  else expect(found.join('\n')).toContain(complaint);
});
