import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { waitUntil } from '#scripts/demo/processes.ts';
import { AuditLog } from '../../support/audit.ts';
import { namespace } from '../../support/objects.ts';
import type { World } from '../../support/worlds/world.ts';

const CHANGES = 10_000;
const CHANGES_A_SECOND = 500;

const lastLine = z.object({ type: z.literal('ended'), times: z.int() });

/** What the program `watch` printed: the events, and how often the watch was ended and taken up again. */
function withEnds(printed: readonly unknown[]): { events: unknown[]; ends: number } {
  return { events: printed.slice(0, -1), ends: lastLine.parse(printed.at(-1)).times };
}

/** What client-go does with lists, watches and other encodings. */
export function watches(world: () => World): void {
  const space = 'watches';

  beforeAll(async () => await world().admin.apply(namespace(space)));

  test('a raw watch of 10,000 changes gives the same sequence as a direct one, in JSON and in protobuf', async () => {
    const { admin, owner, cluster } = world();
    const mark = randomUUID();
    const list = await admin.json<{ metadata: { resourceVersion: string } }>(['-n', space, 'get', 'configmaps']);
    const flags = {
      namespace: space,
      'resource-version': list.metadata.resourceVersion,
      selector: `mark=${mark}`,
      count: CHANGES,
    };
    const watchers = [
      owner.direct.clientGo('watch', flags),
      owner.through.clientGo('watch', flags),
      owner.through.clientGo('watch', { ...flags, content: 'protobuf' }),
    ];
    // A watch that is opened amid changes gets the first of them out of order now and then, from the API server itself.
    const audit = new AuditLog(cluster.auditLog);
    const open = async (): Promise<boolean> => (await audit.events(mark, 'ResponseStarted')).length === watchers.length;
    await waitUntil('all watches to be open', open, { withinMs: 20_000 });
    // An API server that has little processor time ends every watch of its cache at once, also those that do not come through the plane; the faster the changes, the more often.
    const pace = { parallel: 4, rate: CHANGES_A_SECOND };
    const churn = { namespace: space, name: 'churn', label: `mark=${mark}`, count: CHANGES, ...pace };
    const [made] = await admin.clientGo('churn', churn);
    const [direct, json, protobuf] = (await Promise.all(watchers)).map(withEnds);
    console.log(`10,000 changes were made in ${(made as { milliseconds: number }).milliseconds} ms`);
    expect(direct?.events).toHaveLength(CHANGES);
    expect(json?.events).toEqual(direct?.events);
    expect(protobuf?.events).toEqual(direct?.events);
    // The plane itself ends none: they end with the direct one, or not at all.
    if (direct?.ends === 0) expect([json?.ends, protobuf?.ends]).toEqual([0, 0]);
  }, 180_000);

  test('a shared informer hears of every object, as a direct one does', async () => {
    const { admin, owner } = world();
    const clients = [owner.through, owner.direct];
    const flags = { namespace: space, selector: 'informer=yes' };
    const informers = clients.map((client) => client.startClientGo('informer', flags));
    try {
      for (const informer of informers) await informer.printed(/"type":"synced"/);
      await admin.clientGo('churn', {
        namespace: space,
        name: 'informed',
        label: 'informer=yes',
        count: 100,
        rate: 200,
      });
      await admin.ok(['-n', space, 'create', 'configmap', 'last']);
      await admin.ok(['-n', space, 'label', 'configmap', 'last', 'informer=yes']);
      for (const informer of informers) await informer.printed(/"name":"last"/);
    } finally {
      await Promise.all(informers.map((informer) => informer.end()));
    }
    const [through, direct] = informers.map(({ stdout }) => stdout);
    expect(through).toBe(direct);
    expect(through).not.toContain('watch-error');
  });

  test.for(['json', 'protobuf'])('server-side apply by client-go in %s keeps its field manager', async (content) => {
    const flags = { namespace: space, name: `applied-${content}`, content };
    expect(await world().owner.through.clientGo('apply', flags, ['a=1', 'b=2'])).toEqual([
      { name: `applied-${content}`, data: { a: '1', b: '2' }, managers: ['clientgo/Apply'] },
    ]);
  });
}
