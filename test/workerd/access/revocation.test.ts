import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AccessSnapshot } from '#schema/access.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { SocketClient } from '../support/client.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

/** As the owner of a world is known there. */
const OWNER = ['outrider.dev:cluster-owner'];

/** Pushes a snapshot, newer than any of the database, that still knows the owner unless `change` says otherwise. */
async function push(change: Partial<AccessSnapshot>): Promise<void> {
  await (
    await world.stub()
  ).putSnapshot({
    version: 1_000_000,
    cluster: { id: world.id, name: 'prod', agentGeneration: 1 },
    people: { [world.owner]: { username: 'ada', enabled: true, groups: OWNER, notBefore: 0 } },
    revokedTokens: {},
    ...change,
  });
}

const disabled = (): Partial<AccessSnapshot> => ({
  people: { [world.owner]: { username: 'ada', enabled: false, groups: [], notBefore: 0 } },
});

// Tried with the comparison of groups taken out of `live.judge`: the watch goes on.
test('attack: a watch does not outlive the group by which it was let in', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/secrets?watch=true');
  const served = await agent.next();
  served.head(200);
  served.write('one');
  const reader = (await asked).body?.getReader();
  await reader?.read();
  await push({
    people: {
      [world.owner]: { username: 'ada', enabled: true, groups: ['outrider.dev:cluster-member'], notBefore: 0 },
    },
  });
  await expect(reader?.read()).rejects.toThrow('lost a group');
  expect(await served.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  await world.quiet();
});

// Tried with `live.judge` taken out of `putSnapshot`: the attacks succeed.
test('attack: a watch does not outlive the access that opened it', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/secrets?watch=true');
  const served = await agent.next();
  served.head(200);
  served.write('{"type":"ADDED"}\n');
  const reader = (await asked).body?.getReader();
  await reader?.read();
  await push(disabled());
  await expect(reader?.read()).rejects.toThrow('disabled');
  expect(await served.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  await world.quiet();
});

test('attack: an exec does not outlive the access that opened it', async () => {
  const agent = await world.agent();
  const asked = world.upgrade('/api/v1/namespaces/default/pods/web/exec?command=sh');
  const served = await agent.next();
  served.head(101);
  const client = new SocketClient(await asked);
  await push({ people: {} });
  expect(await client.closed).toMatchObject({ code: 1008 });
  expect(await served.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  await world.quiet();
});

test('attack: a request that waits for a tunnel is refused when its access is taken back meanwhile', async () => {
  const agent = await world.agent();
  agent.hangUp();
  await expect.poll(async () => (await world.status()).tunnels).toEqual([]);
  const asked = world.fetch('/version');
  const other = world.fetch('/version');
  await expect.poll(async () => (await world.status()).waiting).toBe(2);
  await push(disabled());
  expect((await asked).status).toBe(401);
  expect((await other).status).toBe(401);
});

test('what is under way goes on when a newer snapshot still allows it', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods?watch=true');
  const served = await agent.next();
  served.head(200);
  served.write('one');
  const reader = (await asked).body?.getReader();
  await reader?.read();
  await push({});
  served.write('two');
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('two');
  await reader?.cancel();
});
