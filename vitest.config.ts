import { availableParallelism } from 'node:os';
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

import { testSecrets } from './test/support/secrets.ts';

const secrets = testSecrets();
// The binding below is what counts; this only tells wrangler that the required secrets are there.
Object.assign(process.env, secrets);

/** The Worker under test in workerd: bindings from wrangler.toml, secrets made for this run, the migrations for setup.ts. */
const workerd = () =>
  cloudflareTest(async () => ({
    wrangler: { configPath: './wrangler.toml' },
    miniflare: {
      bindings: { ...secrets, MIGRATIONS: await readD1Migrations('migrations') },
      // A deployment may leave it out.
      r2Buckets: ['AUDIT_BUCKET'],
    },
  }));

/** A busy machine is no failure. Two processors are two workers: by default one of them would be left to vitest itself, which mostly waits. */
const common = { testTimeout: 30_000, maxWorkers: Math.max(2, availableParallelism() - 1) } as const;

/** Of files that are pure logic: loading the same modules anew for each would take as long as the tests. */
const shared = { ...common, isolate: false } as const;

/** The files that take longest, in the order in which they begin: one that begins last is waited for alone. */
const LONGEST = [
  'e2e/kubectl',
  'e2e/import',
  'e2e/tunnel/herd',
  'e2e/cluster',
  'e2e/cli/people',
  'e2e/browser/sign-in',
  'e2e/directory/sign-in',
  'e2e/openapi/fuzz',
  'e2e/cli/plane',
  'e2e/agent/tunnel',
  'e2e/agent/pod',
  // Measures how soon a tunnel is back: when the first of them mostly waits.
  'e2e/faults/faults',
  'workerd/management/sign-in',
  'workerd/management/users',
].map((file) => `/test/${file}.test.ts`);

/** {@link LONGEST} first; without what it measured before, vitest begins with the file of most bytes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => LONGEST.findIndex((file) => moduleId.endsWith(file));
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer's method, not an array's
    const sorted = await super.sort(files);
    const longest = sorted.filter((file) => place(file) !== -1).toSorted((a, b) => place(a) - place(b));
    return [...longest, ...sorted.filter((file) => place(file) === -1)];
  }
}

/**
 * One project per place where a test runs. `scripts/test/main.ts` runs them one after another; `vitest --project <name>` runs one.
 */
export default defineConfig({
  test: {
    // What a passing test logs, nobody needs.
    silent: 'passed-only',
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // Beside the file that is tested: pure logic, no socket, no process.
        test: { ...shared, name: 'unit', include: ['{schema,ldap,workers,agent,cli,scripts,test/bench}/**/*.test.ts'] },
      },
      {
        // What both ends of the tunnel must agree on, in Node …
        test: { ...common, name: 'conformance', include: ['test/{conformance,fuzz}/**/*.test.ts'] },
      },
      {
        // … and the same files inside workerd.
        plugins: [workerd()],
        test: { ...shared, name: 'conformance-workerd', include: ['test/{conformance,fuzz}/*.test.ts'] },
      },
      {
        // Worlds of faults in virtual time. One takes over the clock of its process, so they are by themselves.
        test: { ...common, name: 'simulation', include: ['test/simulation/**/*.test.ts'] },
      },
      {
        plugins: [workerd()],
        test: {
          ...common,
          name: 'workerd',
          include: ['test/workerd/**/*.test.ts'],
          setupFiles: ['test/workerd/setup.ts'],
          // Most of the time is waiting: for timeouts of seconds, for alarms.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // A real Kubernetes and real processes, which are waited for a third of the time.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
      {
        // As `e2e`, of minutes in which nothing happens: it runs beside all the others.
        test: { ...common, name: 'waiting', include: ['test/waiting/**/*.test.ts'], hookTimeout: 600_000 },
      },
    ],
  },
});
