import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { AuditLog } from '../../support/audit.ts';
import { namespace, shellPod } from '../../support/objects.ts';
import type { Running } from '../../support/processes/program.ts';
import type { World } from '../../support/worlds/world.ts';

/** The goal, and what the audit log may be late. */
const CANCELLED_WITHIN_MS = 1_000;
const LOOKED_FOR_MS = 10_000;
/** What the client asks the API server for as the end of its watch. */
const WATCH_SECONDS = 4;

/** When a client goes away the API server must learn of it, or watches and logs pile up there. Its audit log is the witness. */
export function cancellation(world: () => World): void {
  const space = 'cancel';
  const audit = (): AuditLog => new AuditLog(world().cluster.auditLog);

  beforeAll(async () => {
    const { admin } = world();
    await admin.apply(namespace(space));
    const script = 'while usleep 100000; do echo tick; done';
    await admin.ok(['-n', space, 'apply', '-f', '-'], { input: JSON.stringify(shellPod('ticker', script)) });
    await admin.ok(['-n', space, 'wait', 'pod/ticker', '--for=condition=Ready', '--timeout=60s']);
  });

  /** A watch that can be told apart, once the API server has begun to answer it. */
  async function openWatch(how: string, seconds: number): Promise<{ watch: Running; mark: string }> {
    const mark = randomUUID();
    const flags = { namespace: space, how, selector: `mark=${mark}`, count: seconds };
    const watch = world().owner.through.startClientGo('cancel', flags);
    await watch.lines(1);
    await audit().reached('ResponseStarted', mark, LOOKED_FOR_MS);
    return { watch, mark };
  }

  /** Tells the program to end its stream; resolves with how long the API server went on after that, ms. */
  async function cancelled(watch: Running, mark: string): Promise<number> {
    watch.type('\n');
    const [, end] = (await watch.lines(2)) as { at: string }[];
    return (await audit().reached('ResponseComplete', mark, LOOKED_FOR_MS)) - Date.parse(end!.at);
  }

  test('an idle watch whose connection is reset ends at the API server within a second', async () => {
    const { watch, mark } = await openWatch('reset', 60);
    const took = await cancelled(watch, mark);
    console.log(`a reset reached the API server after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(CANCELLED_WITHIN_MS);
  });

  test('a watch under way that client-go cancels ends at the API server within a second', async () => {
    const { watch, mark } = await openWatch('context', 60);
    const { admin } = world();
    const label = `mark=${mark}`;
    const churn = admin.startClientGo('churn', { namespace: space, name: mark, label, count: 1_000, rate: 20 });
    try {
      const took = await cancelled(watch, mark);
      console.log(`a cancel on a busy watch reached the API server after ${took.toFixed(0)} ms`);
      expect(took).toBeLessThan(CANCELLED_WITHIN_MS);
    } finally {
      await churn.end();
    }
  });

  test('an idle watch that client-go cancels ends no later than its own timeout', async () => {
    const { watch, mark } = await openWatch('context', WATCH_SECONDS);
    const took = await cancelled(watch, mark);
    console.log(`a cancel on an idle watch reached the API server after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(WATCH_SECONDS * 1000 + CANCELLED_WITHIN_MS);
  });

  test('an idle watch whose client closes with a plain FIN ends no later than its own timeout', async () => {
    const { watch, mark } = await openWatch('close', WATCH_SECONDS);
    const took = await cancelled(watch, mark);
    console.log(`a FIN on an idle watch reached the API server after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(WATCH_SECONDS * 1000 + CANCELLED_WITHIN_MS);
  });

  test('kubectl logs -f that is interrupted ends at the API server within a second', async () => {
    const limit = String(Math.floor(Math.random() * 1e9) + 1e9);
    const logs = world().owner.through.start(['-n', space, 'logs', '-f', 'ticker', `--limit-bytes=${limit}`]);
    await logs.printed(/tick\n/);
    const at = Date.now();
    await logs.end('SIGINT');
    const took = (await audit().reached('ResponseComplete', `limitBytes=${limit}`, LOOKED_FOR_MS)) - at;
    console.log(`an interrupted logs -f reached the API server after ${took} ms`);
    expect(took).toBeLessThan(CANCELLED_WITHIN_MS);
  });

  test('kubectl exec that is killed ends at the API server within a second', async () => {
    const mark = randomUUID();
    const command = ['sh', '-c', 'cat', mark];
    const exec = world().owner.through.start(['-n', space, 'exec', '-i', 'ticker', '--', ...command]);
    exec.type('there\n');
    await exec.printed(/there\n/);
    const at = Date.now();
    await exec.end('SIGKILL');
    const took = (await audit().reached('ResponseComplete', mark, LOOKED_FOR_MS)) - at;
    console.log(`a killed exec reached the API server after ${took} ms`);
    expect(took).toBeLessThan(CANCELLED_WITHIN_MS);
  });
}
