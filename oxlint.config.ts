import { defineConfig } from 'oxlint';
import type { OxlintOverride } from 'oxlint';

import { importRules } from './scripts/check/import-rules.ts';

const imports = importRules.map(({ files, refuse }): OxlintOverride => ({
  files,
  rules: {
    'eslint/no-restricted-imports': [
      'error',
      { patterns: refuse.map(({ match, why }) => ({ ...match, message: why })) },
    ],
  },
}));

const SQL =
  'SQL lives in workers/store (D1) and workers/cluster/storage.ts (the object), so that a row has one place that knows it.';

/** Refuses the properties by which one reaches a database. */
const noSql = (files: string, ...properties: string[]): OxlintOverride => ({
  files: [files],
  rules: {
    'eslint/no-restricted-properties': ['error', ...properties.map((property) => ({ property, message: SQL }))],
  },
});

/** Where values of no type are the subject: the answers that a test reads, and JavaScript. */
const UNTYPED = {
  'typescript/no-unsafe-argument': 'off',
  'typescript/no-unsafe-assignment': 'off',
  'typescript/no-unsafe-call': 'off',
  'typescript/no-unsafe-member-access': 'off',
  'typescript/no-unsafe-return': 'off',
} as const;

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  ignorePatterns: ['workers/worker-configuration.d.ts', '.cache', '.outrider', 'dist'],
  env: { builtin: true },
  rules: {
    // Types: no `any` gets in, no promise gets lost.
    'typescript/no-explicit-any': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/no-unsafe-function-type': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/use-unknown-in-catch-callback-variable': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/restrict-plus-operands': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/no-namespace': ['error', { allowDeclarations: true }],
    'typescript/consistent-type-imports': 'error',
    'typescript/no-import-type-side-effects': 'error',
    'typescript/no-require-imports': 'error',
    'typescript/related-getter-setter-pairs': 'error',

    'eslint/eqeqeq': 'error',
    'eslint/array-callback-return': 'error',
    'eslint/no-case-declarations': 'error',
    'eslint/no-constructor-return': 'error',
    'eslint/no-empty': 'error',
    'eslint/no-fallthrough': 'error',
    'eslint/no-loop-func': 'error',
    'eslint/no-prototype-builtins': 'error',
    'eslint/no-self-compare': 'error',
    'eslint/no-sequences': 'error',
    'eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' }],
    'eslint/no-var': 'error',
    'eslint/no-console': 'error',
    'eslint/no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
    'eslint/max-lines': ['error', { max: 350, skipBlankLines: true, skipComments: true }],

    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'import/no-commonjs': 'error',
    'oxc/no-barrel-file': ['error', { threshold: 0 }],
    'unicorn/prefer-node-protocol': 'error',
    'unicorn/no-abusive-eslint-disable': 'error',
    'unicorn/no-instanceof-array': 'error',
    'unicorn/no-new-buffer': 'error',
    'unicorn/no-typeof-undefined': 'error',
    'unicorn/prefer-string-replace-all': 'error',

    // Off, each for a reason.
    'eslint/no-await-in-loop': 'off', // order is what a protocol is about
    'eslint/no-underscore-dangle': 'off', // names of other people's fields
    'typescript/consistent-return': 'off', // tsc knows better
    'unicorn/consistent-function-scoping': 'off', // a helper may live where it is read
    'unicorn/require-post-message-target-origin': 'off', // windows only
    'unicorn/no-useless-spread': 'off', // a loop that changes what it walks needs the copy
    'promise/always-return': 'off', // async/await throughout; callbacks are where a platform asks for them
    'promise/no-callback-in-promise': 'off',
    'promise/no-promise-in-callback': 'off',
    'vitest/require-mock-type-parameters': 'off',
    'import/no-unassigned-import': 'off', // what is imported for its effect is rare and seen
    'oxc/no-map-spread': 'off', // a copy is often what is meant
    'oxc/no-accumulating-spread': 'off',
  },
  overrides: [
    // Defaults that a tool asks for.
    { files: ['*.config.ts', 'workers/index.ts'], rules: { 'import/no-default-export': 'off' } },
    // People read what scripts print; everything else logs through its logger.
    { files: ['scripts/**', 'workers/log.ts', 'agent/log.ts'], rules: { 'eslint/no-console': 'off' } },
    { files: ['agent/**', 'cli/**'], rules: { 'node/no-process-env': 'error' } },
    { files: ['agent/config.ts', 'cli/main.ts'], rules: { 'node/no-process-env': 'off' } },
    noSql('workers/**', 'sql', 'prepare'),
    noSql('workers/store/**', 'sql'),
    noSql('workers/cluster/storage.ts', 'prepare'),
    ...imports,
    // Plain JavaScript, because the Node that runs it may not know types.
    { files: ['**/*.mjs'], rules: UNTYPED },
    {
      // A test may say what it knows better than the types, and states its case at the length it needs.
      files: ['**/*.test.ts', 'test/**'],
      rules: {
        'eslint/no-console': 'off',
        'eslint/no-shadow': 'off',
        'eslint/max-lines': 'off',
        'eslint/no-restricted-properties': 'off',
        'node/no-process-env': 'off',
        'typescript/no-explicit-any': 'off',
        'typescript/no-non-null-assertion': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
        'typescript/unbound-method': 'off', // worlds hand out functions
        'vitest/no-standalone-expect': 'off', // a hook may prove what holds after every test
        ...UNTYPED,
        'vitest/expect-expect': 'off', // drivers assert inside
        'vitest/no-conditional-expect': 'off',
        'vitest/valid-describe-callback': 'off', // suites are functions that are called under a name
      },
    },
  ],
});
