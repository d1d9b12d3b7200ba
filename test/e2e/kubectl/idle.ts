import { beforeAll, expect, test } from 'vitest';
import { IDLE, namespace, shellPod } from '../../support/objects.ts';
import type { Running } from '../../support/processes/program.ts';
import type { World } from '../../support/worlds/world.ts';

/** What issue 3 asks for. */
const IDLE_MS = 5 * 60_000;

/**
 * An exec that is silent for five minutes: begun by `begin` before all else, so that the other tests fill the time, and asked for by
 * the last test.
 */
export function idleExec(world: () => World): { begin(): void; end(): void } {
  let exec: Running | undefined;
  let since = 0;

  return {
    begin: () => {
      beforeAll(async () => {
        const { admin, owner } = world();
        await admin.apply(namespace('idle'));
        await admin.ok(['-n', 'idle', 'apply', '-f', '-'], { input: JSON.stringify(shellPod('shell', IDLE)) });
        await admin.ok(['-n', 'idle', 'wait', 'pod/shell', '--for=condition=Ready', '--timeout=60s']);
        exec = owner.through.start(['-n', 'idle', 'exec', '-i', 'shell', '--', 'cat']);
        exec.type('before\n');
        await exec.printed(/before\n/);
        since = Date.now();
      });
    },
    end: () => {
      test(
        'an exec that was idle for five minutes is still there',
        async () => {
          await new Promise((resolve) => setTimeout(resolve, since + IDLE_MS - Date.now()));
          exec?.type('after\n');
          await exec?.printed(/before\nafter\n/);
          exec?.child.stdin?.end();
          expect(await exec?.exited).toEqual({ stdout: 'before\nafter\n', stderr: '', code: 0 });
        },
        IDLE_MS + 60_000,
      );
    },
  };
}
