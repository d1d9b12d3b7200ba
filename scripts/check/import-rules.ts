/**
 * Who may import whom, as data. `oxlint.config.ts` turns the tables into lint rules; `import-rules.test.ts` breaks each once.
 * Patterns match the text of a specifier, which is why roots are crossed by `#alias` only.
 */

/** Specifiers that are refused, and the reason that the person who wrote one will read. */
interface Refusal {
  /** Rust regular expression (no look-around), or, for "all but", gitignore patterns. */
  readonly match: { readonly regex: string } | { readonly group: string[] };
  readonly why: string;
}

/** For the files that match, everything that they must not import. */
export interface ImportRule {
  readonly files: string[];
  readonly refuse: readonly Refusal[];
}

const ROOTS = ['schema', 'ldap', 'workers', 'agent', 'cli', 'scripts', 'test'] as const;
type Root = (typeof ROOTS)[number];

const regex = (text: string, why: string): Refusal => ({ match: { regex: text }, why });
const root = (name: Root, why: string): Refusal => regex(`^#${name}/`, why);

/** Holds everywhere. */
const everywhere: readonly Refusal[] = [
  regex(
    `^(\\.\\./)+(${ROOTS.join('|')})/`,
    'Across top-level folders import by #alias: the rules below read the text of a specifier.',
  ),
  regex('(^|/)index(\\.ts)?$', 'index.ts is an entry point or a barrel: import the file that has what you need.'),
  regex('^(\\.{1,2}|#[a-z]+)/(.*/)?[^./]+$', 'Node runs these files as they are: write the .ts extension.'),
];

const noTest = root('test', 'Test code is not shipped: nothing imports test.');
const noCli = root('cli', 'The CLI is what people install: it knows the plane by its API, and nothing knows it.');
const noRuntimeModule = (why: string): Refusal => regex('^cloudflare:', why);

/**
 * The way of a request through workers, left to right. A folder imports those to its right and never those to its left, nor
 * those beside it; so a refusal is decided before an object wakes, and SQL is reached only from behind a decision.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['http'],
  ['resources'],
  ['api', 'connect', 'proxy'],
  ['cluster'],
  ['authz'],
  ['authn'],
  ['access', 'audit'],
  ['store'],
];

/** The only files that see the Workers runtime as a module: entry, configuration and the objects. */
const RUNTIME_FILES = [
  'workers/index.ts',
  'workers/env.ts',
  'workers/cluster/object.ts',
  'workers/access/dispatcher.ts',
  'workers/audit/keeper.ts',
  'workers/authn/providers/people/refresher.ts',
];

/** scrypt: WebCrypto has none (RFC 7914), nodejs_compat does. */
const SCRYPT_FILE = 'workers/authn/password.ts';

/** The one way out of the Worker that is no `fetch`: to a directory. */
const DIAL_FILE = 'workers/http/direct.ts';

const inWorkers = (folders: readonly string[], why: string): Refusal =>
  regex(`^(#workers/|(\\.{1,2}/)+)(${folders.join('|')})/`, why);

const onlyScrypt: Refusal = {
  match: { group: ['node:*', '!node:crypto'] },
  why: 'Workers use web APIs; scrypt from node:crypto, here, is the one exception.',
};

/** What every file of workers refuses, less what the few named files may. */
function workersBase(file: string): readonly Refusal[] {
  return [
    ...everywhere,
    root('agent', 'workers and agent meet in schema: each is deployed without the other.'),
    noCli,
    root('scripts', 'scripts build and run the Worker; it never needs them.'),
    noTest,
    file === SCRYPT_FILE
      ? onlyScrypt
      : regex('^node:', `Workers use web APIs; only ${SCRYPT_FILE} needs Node's crypto, for scrypt.`),
    file === DIAL_FILE
      ? regex('^cloudflare:[^s]', 'This file needs cloudflare:sockets, to ask a directory, and nothing more.')
      : RUNTIME_FILES.includes(file)
        ? regex('^cloudflare:[^w]', 'The objects, index.ts and env.ts need cloudflare:workers and nothing more.')
        : noRuntimeModule(
            'Only index.ts, env.ts and the objects touch the runtime; take what you need as an argument, so that a test in Node can give it.',
          ),
  ];
}

function layerRule(folder: string, at: number): Refusal {
  const left = LAYERS.slice(0, at).flat();
  const beside = (LAYERS[at] ?? []).filter((other) => other !== folder);
  return inWorkers(
    [...left, ...beside],
    `Arrows point right: ${LAYERS.map((layer) => layer.join('|')).join(' → ')}. ${folder} may import only what is right of it.`,
  );
}

const layers: ImportRule[] = LAYERS.flatMap((layer, at) =>
  layer.map((folder) => ({
    files: [`workers/${folder}/**`],
    refuse: [...workersBase(''), ...(at === 0 ? [] : [layerRule(folder, at)])],
  })),
);

/** Files beside index.ts belong to no layer: all layers may import them, and they import none. */
const leaf = inWorkers(LAYERS.flat(), 'All of workers imports this file, so it imports no layer.');

/** A later rule replaces an earlier one for the same file, as in the linter: single files come after folders. */
const singleFiles: ImportRule[] = [...RUNTIME_FILES, SCRYPT_FILE, DIAL_FILE].map((file) => {
  const folder = file.split('/')[1] ?? '';
  const at = LAYERS.findIndex((layer) => layer.includes(folder));
  return {
    files: [file],
    refuse: [
      ...workersBase(file),
      ...(at > 0 ? [layerRule(folder, at)] : []),
      ...(file === 'workers/env.ts' ? [leaf] : []),
    ],
  };
});

export const importRules: readonly ImportRule[] = [
  {
    files: ['schema/**'],
    refuse: [
      ...everywhere,
      {
        match: { group: ['**', '!zod', '!./**', '!../**', '!\\#schema/**'] },
        why: 'schema is the contract of both ends: it imports nothing of ours, no node:, no cloudflare:, no framework, only zod.',
      },
    ],
  },
  {
    files: ['ldap/**'],
    refuse: [
      ...everywhere,
      {
        match: { group: ['**', '!ldapts', '!node:net', '!node:stream', '!./**', '!../**', '!\\#schema/**'] },
        why: 'ldap is how both ends speak to a directory: whoever runs it gives it the connection. It imports schema and ldapts.',
      },
    ],
  },
  { files: ['workers/**'], refuse: workersBase('') },
  { files: ['workers/*.ts'], refuse: [...workersBase(''), leaf] },
  ...layers,
  ...singleFiles,
  {
    files: ['agent/**'],
    refuse: [
      ...everywhere,
      root('workers', 'workers and agent meet in schema: each is deployed without the other.'),
      noCli,
      root('scripts', 'scripts build and run the agent; it never needs them.'),
      noTest,
      noRuntimeModule('The agent runs in Node.'),
      regex('^hono(/|$)', 'The agent serves two plain endpoints; hono is the edge’s router.'),
    ],
  },
  {
    files: ['cli/**'],
    refuse: [
      ...everywhere,
      root('workers', 'The CLI knows the plane by its API, as schema declares it.'),
      root('agent', 'The CLI runs at people’s desks, the agent in clusters.'),
      root('scripts', 'scripts bundle the CLI; it never needs them.'),
      noTest,
      noRuntimeModule('The CLI runs in Node.'),
      regex('^(undici|ws)(/|$)', 'The CLI runs on Node 20, with Node’s own https.'),
    ],
  },
  {
    files: ['scripts/**'],
    refuse: [
      ...everywhere,
      root('cli', 'scripts bundle the CLI by path; its source runs at people’s desks, not here.'),
      root('workers', 'scripts bundle the Worker by path; its source runs in workerd, not here.'),
      root('agent', 'scripts bundle the agent by path; its source runs in a cluster, not here.'),
      noTest,
      noRuntimeModule('scripts run in Node.'),
    ],
  },
  {
    files: ['test/**', '**/*.test.ts'],
    refuse: [
      ...everywhere,
      noRuntimeModule('This test runs in Node; one that needs the runtime lives in test/workerd.'),
    ],
  },
  { files: ['test/workerd/**'], refuse: everywhere },
];
