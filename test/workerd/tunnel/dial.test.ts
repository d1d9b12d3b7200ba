import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { base64url } from 'jose';
import { signAgentCredential } from '#workers/authn/agent-credential.ts';
import { withWord } from '#workers/cluster/request/word.ts';
import { clusterObject, newClusterId } from '#workers/cluster/stub.ts';
import {
  administrator,
  ask,
  cluster,
  config,
  ORIGIN,
  outcome,
  person,
  tokenFor,
  type Answer,
} from '../management/client.ts';

// Who may dial, as it is decided before there is a tunnel.

let token: string;
beforeAll(async () => {
  token = await administrator();
});

const key = (octet: number): string => Buffer.alloc(32, octet).toString('base64url');

const dial = async (credential: string | undefined): Promise<Answer> =>
  await ask('GET /connect/tunnel', { token: credential, headers: { upgrade: 'websocket' } });

test('a stranger is refused before any object wakes', async () => {
  const id = await cluster();
  const forged = await signAgentCredential(await config(), {
    cluster: await newClusterId(await config()),
    publicKey: key(1),
    generation: 1,
  });
  expect(outcome(await dial(undefined))).toBe('unauthenticated');
  expect(outcome(await dial('nonsense'))).toBe('unauthenticated');
  expect(outcome(await dial(token))).toBe('unauthenticated');
  expect(outcome(await dial(await tokenFor(await person(), { cluster: id })))).toBe('unauthenticated');
  expect(outcome(await dial(forged))).toBe('unknown_cluster');
});

test('a dial that is no WebSocket is refused', async () => {
  expect(outcome(await ask('GET /connect/tunnel', { token: 'x' }))).toBe('bad_request');
});

test("what the cluster's object refuses of a dial is a problem too, which agents read", async () => {
  const [id, other] = [await cluster(), await cluster()];
  const principal = base64url.encode(JSON.stringify({ cluster: other, publicKey: key(1), generation: 1 }));
  const stub = (await clusterObject(env, await config(), id)) ?? expect.fail('no object');
  const said = { requestId: 'r', traceparent: '', continued: false, acceptEncoding: null, address: '' };
  const answer = await stub.fetch(withWord(`${ORIGIN}/connect/tunnel`, { kind: 'dial', caller: principal, ...said }));
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(await answer.json()).toMatchObject({ code: 'unknown_cluster', status: 404 });
});
