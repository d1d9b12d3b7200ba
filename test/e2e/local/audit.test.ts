import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test, vi } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import { setUp } from '#scripts/local/setup.ts';
import { reach, Scratch } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

test('what leaves the window of the audit log is in files of the data folder, and the rest in the database', async () => {
  const plane = await scratch.plane({ project: PROJECT, audit: { level: 'Request', rows: 100 } });
  const { administrator } = await setUp(plane);
  const json = { 'content-type': 'application/json' };
  const { username, password } = administrator;
  const body = JSON.stringify({ username, password, newPassword: 'a password of my own' });
  const session = await reach(plane, '/v1/auth/local', { method: 'POST', headers: json, body });
  const { token } = (await session.json()) as { token: string };
  const headers = { ...json, authorization: `Bearer ${token}` };
  const ids: (string | null)[] = [];
  for (let i = 0; i < 110; i++) {
    const body = JSON.stringify({ metadata: { name: `g${i}` }, spec: {} });
    const answer = await reach(plane, '/v1/groups', { method: 'POST', headers, body });
    expect(answer.status).toBe(201);
    ids.push(answer.headers.get('x-request-id'));
  }
  interface Event {
    readonly auditID: string;
    readonly level: string;
  }
  const listed = async (): Promise<Event[]> =>
    ((await (await reach(plane, '/v1/audit?limit=500&resource=groups', { headers })).json()) as { items: Event[] })
      .items;
  const folder = plane.dataDir.audit;
  const archived = async (): Promise<Event[]> => {
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ndjson.gz'));
    const texts = await Promise.all(
      files.map(async (name) => gunzipSync(await readFile(join(folder, name))).toString()),
    );
    return texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => JSON.parse(line) as Event);
  };
  await vi.waitFor(async () => expect((await listed()).length).toBeLessThanOrEqual(101), 20_000);
  const all = [...(await archived()), ...(await listed())];
  expect(new Set(all.map(({ level }) => level))).toContain('Request');
  for (const id of ids) expect(all.filter(({ auditID }) => auditID === id)).toHaveLength(1);
});
