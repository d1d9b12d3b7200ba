import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import { listAuditEvents } from '#schema/api/plane/audit.ts';
import { AuditLog } from '../support/audit.ts';
import { startWorld, type World } from '../support/worlds/world.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let world: World;
let dispatcher: Agent;
beforeAll(async () => {
  world = await startWorld({ agent: 'process', cluster: 'api' });
  dispatcher = new Agent({ connect: { ca: world.plane.caPem } });
});
afterAll(async () => {
  await dispatcher.close();
  await world.stop();
});

/** Asks the API server through the plane. `mark` tells the request apart in its audit log. */
async function ask(mark: string, headers: Record<string, string> = {}): Promise<Headers> {
  const path = `/k8s/clusters/${world.clusterId}/api/v1/namespaces/default/configmaps?labelSelector=mark%3D${mark}`;
  const authorization = `Bearer ${world.owner.token.text}`;
  const response = await fetch(new URL(path, world.plane.url), {
    dispatcher,
    headers: { authorization, ...headers },
  });
  expect(response.status).toBe(200);
  await response.text();
  return new Headers([...response.headers]);
}

/** The id of the one audit event of a request. */
async function auditId(mark: string): Promise<unknown> {
  const log = new AuditLog(world.cluster.auditLog);
  await log.reached('ResponseComplete', mark, 10_000);
  return (await log.events(mark))[0]?.['auditID'];
}

test('one id joins what the client sees, the plane’s log, the agent’s log and the API server’s audit log', async () => {
  const mark = randomUUID();
  const answer = await ask(mark, { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` });
  const requestId = answer.get('x-request-id');
  expect(requestId).toMatch(/^[a-z2-7]{16}$/);
  expect(answer.get('audit-id')).toBe(requestId);
  expect(await auditId(mark)).toBe(requestId);
  const said = { message: 'request', requestId, traceId: TRACE, method: 'GET' };
  const path = '/api/v1/namespaces/default/configmaps';
  const ofAgent = (): unknown => world.agent?.log.find((line) => line['requestId'] === requestId);
  await expect.poll(ofAgent).toMatchObject({ ...said, level: 'debug', path, outcome: '200' });
  const ofPlane = async (): Promise<unknown> => {
    const text = await readFile(join(world.dir, 'plane', 'logs', 'workerd.log'), 'utf8');
    // workerd's line about the Worker's line.
    const line = text.split('\n').find((one) => one.includes(requestId ?? 'none'));
    return line === undefined ? null : JSON.parse(JSON.parse(line).message);
  };
  await expect
    .poll(ofPlane)
    .toMatchObject({ ...said, path, status: 200, user: world.owner.id, cluster: world.clusterId });
});

test('a client’s own Audit-ID is kept', async () => {
  const mark = randomUUID();
  await ask(mark, { 'audit-id': `mine-${mark}` });
  expect(await auditId(mark)).toBe(`mine-${mark}`);
});

test('kubectl create is one event of the plane, under the id that the API server’s own log has', async () => {
  const name = `audited-${randomUUID()}`;
  const manager = `m-${randomUUID().slice(0, 8)}`;
  await world.owner.through.ok(['create', 'configmap', name, '--from-literal=k=hunter2', `--field-manager=${manager}`]);
  const list = listAuditEvents.result;
  const found = async (): Promise<z.infer<typeof list>['items']> => {
    const search = `cluster=${world.clusterId}&actor=${world.owner.id}&verb=create&resource=configmaps`;
    return (await world.owner.api.json(list, 'GET', `/v1/audit?${search}`)).items;
  };
  // An alarm brings it.
  await expect.poll(found, { timeout: 20_000 }).toHaveLength(1);
  const [event] = await found();
  expect(event).toMatchObject({
    stage: 'ResponseComplete',
    requestURI: expect.stringContaining(`/api/v1/namespaces/default/configmaps?fieldManager=${manager}`),
    sourceIPs: [expect.any(String)],
    responseStatus: { code: 201 },
  });
  expect(JSON.stringify(event)).not.toContain('hunter2');
  expect(await auditId(manager)).toBe(event?.auditID);
});

test('the plane and the agent count the same requests', async () => {
  for (let i = 0; i < 3; i++) await ask(randomUUID());
  const plane = await world.owner.api.text('GET', `/v1/clusters/${world.clusterId}/metrics`);
  const agent = (await world.agent?.metrics()) ?? '';
  const value = (text: string, series: RegExp): number => Number(series.exec(text)?.[1]);
  const ofPlane = value(plane, /^outrider_cluster_request_duration_seconds_count\{.*outcome="2xx"\} (\d+)$/m);
  expect(ofPlane).toBeGreaterThanOrEqual(3);
  expect(value(agent, /^outrider_agent_request_duration_seconds_count\{kind="http",outcome="2xx"\} (\d+)$/m)).toBe(
    ofPlane,
  );
  expect(plane).toContain(`outrider_cluster_tunnel_up{cluster="${world.clusterId}"} 1`);
  for (const line of ['tunnels_settled_total 1', 'tunnel_connected 1']) {
    expect(agent).toContain(`outrider_agent_${line}\n`);
  }
  expect(value(agent, /^outrider_agent_queue_delay_seconds_count (\d+)$/m)).toBeGreaterThanOrEqual(ofPlane);
  expect(value(agent, /^outrider_agent_tunnel_messages_total\{direction="sent"\} (\d+)$/m)).toBeGreaterThanOrEqual(3);
});
