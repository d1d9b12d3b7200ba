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

/** A busy machine is no failure. */
const common = { testTimeout: 30_000 } as const;

/** Files that mostly wait, minutes and three quarters of one. */
const LONGEST = ['/test/e2e/kubectl.test.ts', '/test/workerd/tunnel/hibernation.test.ts'];

/** The files that take longest, first; without what it measured before, vitest begins with the one of most bytes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): boolean => LONGEST.some((file) => moduleId.endsWith(file));
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer's method, not an array's
    const sorted = await super.sort(files);
    return [...sorted.filter(isLongest), ...sorted.filter((file) => !isLongest(file))];
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
        test: { ...common, name: 'unit', include: ['{schema,ldap,workers,agent,cli,scripts,test/bench}/**/*.test.ts'] },
      },
      {
        // What both ends of the tunnel must agree on, in Node …
        test: { ...common, name: 'conformance', include: ['test/{conformance,fuzz}/**/*.test.ts'] },
      },
      {
        // … and the same files inside workerd.
        plugins: [workerd()],
        test: { ...common, name: 'conformance-workerd', include: ['test/{conformance,fuzz}/*.test.ts'] },
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
          ...common,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // A real Kubernetes and real processes. One file takes five minutes, most of which it waits: two others run beside it.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
