import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { AuditLog } from '../../support/audit.ts';
import { namespace } from '../../support/objects.ts';
import type { World } from '../../support/worlds/world.ts';

/** Longer than the test: the API server must not end the watch by itself. */
const WATCH_SECONDS = 600;
/** A client's kernel knows the connection for 60 s after its FIN, and is asked every 20 s (`scripts/local/runtime/listener.ts`); the audit log may be late. */
const MISSED_WITHIN_MS = 90_000;

/**
 * A watch on which nothing happens, whose client closes its connection with a plain FIN: begun by `begin` before all else, since it takes more than a minute to be missed, and asked for by
 * `end`.
 */
export function goneClient(world: () => World): { begin(): void; end(): void } {
  const space = 'gone';
  const mark = randomUUID();
  let goneAt = 0;
  const audit = (): AuditLog => new AuditLog(world().cluster.auditLog);

  return {
    begin: () => {
      beforeAll(async () => {
        const { admin, owner } = world();
        await admin.apply(namespace(space));
        const flags = { namespace: space, how: 'close', selector: `mark=${mark}`, count: WATCH_SECONDS };
        const watch = owner.through.startClientGo('cancel', flags);
        await watch.lines(1);
        await audit().reached('ResponseStarted', mark, 10_000);
        watch.type('\n');
        await watch.lines(2);
        goneAt = Date.now();
      });
    },
    end: () => {
      test(
        'an idle watch whose client closed with a plain FIN ends at the API server within 90 s, long before its own timeout',
        async () => {
          const ended = await audit().reached('ResponseComplete', mark, MISSED_WITHIN_MS);
          console.log(`a client that left by FIN was missed after ${((ended - goneAt) / 1000).toFixed(0)} s`);
          expect(ended - goneAt).toBeLessThan(MISSED_WITHIN_MS);
        },
        MISSED_WITHIN_MS + 30_000,
      );
    },
  };
}
