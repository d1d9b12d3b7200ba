import { beforeAll, expect, test } from 'vitest';
import { namespace } from '../../support/objects.ts';
import type { World } from '../../support/world.ts';

const CHANGES = 10_000;
/** client-go as it is: what a shared informer of a controller does. */
const LABEL = 'outrider.dev/test=watches';

/** What client-go does with lists, watches and other encodings. */
export function watches(world: () => World): void {
  const space = 'watches';

  beforeAll(async () => await world().admin.apply(namespace(space)));

  test('a raw watch of 10,000 changes gives the same sequence as a direct one, in JSON and in protobuf', async () => {
    const { admin, owner } = world();
    const list = await admin.json<{ metadata: { resourceVersion: string } }>(['-n', space, 'get', 'configmaps']);
    const flags = {
      namespace: space,
      'resource-version': list.metadata.resourceVersion,
      selector: LABEL,
      count: CHANGES,
    };
    const watchers = [
      owner.direct.clientGo('watch', flags),
      owner.through.clientGo('watch', flags),
      owner.through.clientGo('watch', { ...flags, content: 'protobuf' }),
    ];
    const churn = { namespace: space, name: 'churn', label: LABEL, count: CHANGES, parallel: 4 };
    const [made] = await admin.clientGo('churn', churn);
    const [direct, json, protobuf] = await Promise.all(watchers);
    console.log(`10,000 changes were made in ${(made as { milliseconds: number }).milliseconds} ms`);
    expect(direct).toHaveLength(CHANGES);
    expect(json).toEqual(direct);
    expect(protobuf).toEqual(direct);
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
