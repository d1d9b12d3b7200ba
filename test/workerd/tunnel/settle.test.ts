import { afterEach, beforeEach, expect, test } from 'vitest';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { FrameType } from '#schema/protocol/codec/frame.ts';
import { AgentKey, type AgentOptions } from '../support/agent.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

const closedWith = (code: ProtocolCode) => ({ code: CLOSE_CODE_BASE + code });

test('an agent that proves itself is settled and serves', async () => {
  const agent = await world.agent();
  expect(await agent.settled).toMatchObject({ step: 'settled', version: 1, standby: false });
  const asked = world.fetch('/api/v1/pods?limit=1');
  const stream = await agent.next();
  expect(stream.request).toMatchObject({ method: 'GET', target: '/api/v1/pods?limit=1' });
  stream.respond(200, '{}', [['content-type', 'application/json']]);
  const response = await asked;
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('{}');
  expect(await world.status()).toEqual({
    tunnels: [
      {
        instance: agent.instance,
        role: 'cluster',
        state: 'active',
        since: expect.any(Number),
        agentVersion: '0.1.0',
        kubernetesVersion: 'v1.34.2',
      },
    ],
    streams: 0,
    waiting: 0,
  });
});

test('a text message "ping" is answered "pong"', async () => {
  const agent = await world.agent();
  expect(await agent.ping()).toBe('pong');
});

test.each<[string, AgentOptions, ProtocolCode]>([
  ['a wrong signature', { forge: (proof) => ({ ...proof, signature: 'A'.repeat(86) }) }, ProtocolCode.UNAUTHENTICATED],
  [
    'a signature for another epoch than the one claimed',
    { forge: (proof) => ({ ...proof, epoch: proof.epoch + 1 }) },
    ProtocolCode.UNAUTHENTICATED,
  ],
  [
    'a signature for another instance than the one claimed',
    { forge: (proof) => ({ ...proof, instance: 'b'.repeat(20) }) },
    ProtocolCode.UNAUTHENTICATED,
  ],
  ['a proof over the nonce of another cluster', { signedFor: 'c-gaaaaaaaaaabbbbbbbb' }, ProtocolCode.UNAUTHENTICATED],
  ['a version that the plane does not speak', { forge: (proof) => ({ ...proof, version: 2 }) }, ProtocolCode.VERSION],
  ['something that is no proof', { forge: (proof) => ({ ...proof, epoch: 0 }) }, ProtocolCode.PROTOCOL_ERROR],
])('%s ends the dial with its code', async (_, options, code) => {
  const agent = await world.connect(options);
  expect(await agent.closed).toMatchObject(closedWith(code));
  expect(await agent.goaway).toMatchObject({ code });
  expect(await world.status()).toEqual({ tunnels: [], streams: 0, waiting: 0 });
});

test('a proof by another key than the one in the credential ends the dial', async () => {
  const credential = await world.credential();
  const agent = await world.connect({ credential, key: await AgentKey.make() });
  expect(await agent.closed).toMatchObject(closedWith(ProtocolCode.UNAUTHENTICATED));
});

test('attack: a proof that was overheard proves nothing at another dial', async () => {
  // Taken out: the nonce in `proofBytes`. It failed: the second dial was settled.
  const first = await world.connect({ answers: false });
  const overheard = await first.proof(await first.challenged);
  const second = await world.connect({ forge: () => overheard });
  expect(await second.closed).toMatchObject(closedWith(ProtocolCode.UNAUTHENTICATED));
});

test('a second HELLO ends the dial, also while the first is being judged', async () => {
  const agent = await world.connect({ answers: false });
  const proof = await agent.proof(await agent.challenged);
  agent.hello(proof);
  agent.hello({ ...proof, instance: 'b'.repeat(20) });
  expect(await agent.closed).toMatchObject(closedWith(ProtocolCode.PROTOCOL_ERROR));
  expect(await world.status()).toEqual({ tunnels: [], streams: 0, waiting: 0 });
});

test('a frame before HELLO is settled ends the dial', async () => {
  const agent = await world.connect({ answers: false });
  await agent.challenged;
  agent.frame(FrameType.DATA, 0, 0, 1, new Uint8Array(1));
  expect(await agent.closed).toMatchObject(closedWith(ProtocolCode.PROTOCOL_ERROR));
});

test('a text message other than "ping" ends the tunnel', async () => {
  const agent = await world.agent();
  agent.socket.send('hello');
  expect(await agent.closed).toMatchObject(closedWith(ProtocolCode.PROTOCOL_ERROR));
});

test('a stream of a kind that the agent did not list is never opened', async () => {
  const agent = await world.agent({ capabilities: ['http'] });
  const response = await world.upgrade('/api/v1/namespaces/default/pods/web/exec');
  // `agent_outdated`: what to do is in the message.
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable' });
  expect(agent.opened.length).toBe(0);
});
