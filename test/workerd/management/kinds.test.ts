import { env, exports } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { Client } from '#schema/api/client.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { GroupKind } from '#schema/resources/kinds/groups.ts';
import { etagOf } from '#schema/resources/precondition.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { ask, cluster, member, nowSeconds, ORIGIN, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: the version in the store's UPDATE, the id in the keyset, the condition on whose clusters they are, the wait for finalizers, the
// comparison with If-Match, and the refusal of conditions that nobody reads. Each time the test that
// names it failed.

let token: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  token = await tokenFor(await person({ administrator: true }));
});

const add = async (name: string, description = '') =>
  (await ask('POST /v1/groups', { token, body: { metadata: { name }, spec: { description } } })).json;
const change = async (id: string, body: object) => await ask(`PATCH /v1/groups/${id}`, { token, body });
const names = ({ json }: { json: any }): string[] => json.items.map((item: any) => item.metadata.name);

/** All names of a list, page by page; `between` is called after each page. */
async function walk(path: string, between: () => Promise<unknown> = async () => {}): Promise<string[]> {
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const suffix: string = next === null ? '' : `&continue=${next}`;
    const page = await ask(`GET ${path}${suffix}`, { token });
    expect(page.status).toBe(200);
    seen.push(...names(page));
    next = page.json.continue;
    await between();
  } while (next !== null);
  return seen;
}

test('a resource is made, found, changed and removed', async () => {
  const made = await ask('POST /v1/groups', { token, body: { metadata: { name: ' Ops ' }, spec: {} } });
  expect(made.status).toBe(201);
  const { id } = made.json;
  expect(made.json).toEqual({
    id: expect.stringMatching(/^g-[a-z2-7]{10}$/),
    kind: 'Group',
    metadata: {
      name: 'Ops',
      generation: 1,
      resourceVersion: '1',
      createdAt: expect.any(String),
      finalizers: [],
      deletedAt: null,
    },
    spec: { description: '' },
    status: { principal: `local_group://${id}`, members: 0, conditions: [] },
    links: { self: `/v1/groups/${id}`, members: `/v1/groups/${id}/members` },
  });
  expect((await ask(`GET /v1/groups/${id}`, { token })).json).toEqual(made.json);
  const changed = await change(id, { metadata: { name: 'Operations' }, spec: { description: 'on call' } });
  expect(changed.json).toMatchObject({
    metadata: { name: 'Operations', generation: 2, resourceVersion: '2' },
    spec: { description: 'on call' },
  });
  expect(outcome(await ask(`DELETE /v1/groups/${id}`, { token }))).toBe(204);
  expect(outcome(await ask(`GET /v1/groups/${id}`, { token }))).toBe('not_found');
  expect(outcome(await ask(`DELETE /v1/groups/${id}`, { token }))).toBe('not_found');
});

test.each(['', ' ', 'a\nb', 'a\u0000', 'a\u202eb', '\ud800', 'x'.repeat(65), 7, null])(
  'the name %j is refused',
  async (name) => {
    const made = await ask('POST /v1/groups', { token, body: { metadata: { name }, spec: {} } });
    expect(outcome(made)).toBe('invalid');
  },
);

test('a name is taken once, whatever its case, by making or renaming', async () => {
  await add('Ops');
  const { id } = await add('Dev');
  expect(outcome(await ask('POST /v1/groups', { token, body: { metadata: { name: 'OPS' }, spec: {} } }))).toBe(
    'conflict',
  );
  expect(outcome(await change(id, { metadata: { name: 'ops' } }))).toBe('conflict');
  expect(outcome(await change(id, { metadata: { name: 'DEV' } }))).toBe(200);
});

test('of two who change the same version one is told to look again', async () => {
  const { id, metadata } = await add('Ops');
  const both = await Promise.all(
    ['first', 'second'].map(
      async (description) =>
        await change(id, { metadata: { resourceVersion: metadata.resourceVersion }, spec: { description } }),
    ),
  );
  expect(new Set(both.map(outcome))).toEqual(new Set([200, 'conflict']));
  const winner = both.find(({ status }) => status === 200);
  expect((await ask(`GET /v1/groups/${id}`, { token })).json).toEqual(winner?.json);
});

test('changes that name no version come one after another, and none is lost', async () => {
  const { id } = await add('Ops');
  const outcomes = await Promise.all([
    change(id, { spec: { description: 'new' } }),
    change(id, { metadata: { name: 'Operations' } }),
    change(id, { metadata: { finalizers: ['example.com/billing'] } }),
  ]);
  expect(outcomes.map(outcome)).toEqual([200, 200, 200]);
  expect((await ask(`GET /v1/groups/${id}`, { token })).json).toMatchObject({
    metadata: { name: 'Operations', resourceVersion: '4', finalizers: ['example.com/billing'] },
    spec: { description: 'new' },
  });
});

test('of two who change what they saw, by If-Match, one is told to look again', async () => {
  const made = await ask('POST /v1/groups', { token, body: { metadata: { name: 'Ops' }, spec: {} } });
  const tag = made.headers.get('etag') ?? '';
  expect(tag).toBe(`"${made.json.metadata.resourceVersion}"`);
  const path = `/v1/groups/${made.json.id}`;
  const both = await Promise.all(
    ['first', 'second'].map(
      async (description) =>
        await ask(`PATCH ${path}`, { token, headers: { 'If-Match': tag }, body: { spec: { description } } }),
    ),
  );
  expect(new Set(both.map(outcome))).toEqual(new Set([200, 'precondition_failed']));
  const winner = both.find(({ status }) => status === 200);
  const now = await ask(`GET ${path}`, { token });
  expect(now.json).toEqual(winner?.json);
  expect(now.headers.get('etag')).toBe(winner?.headers.get('etag'));
  expect(both.find(({ status }) => status === 412)?.headers.get('etag')).toBeNull();
});

test('whoever reads, counts and writes back loses no count, however many do', async () => {
  const { id } = await add('Ops', '0');
  const path = `/v1/groups/${id}`;
  const count = async (): Promise<void> => {
    for (;;) {
      const seen = await ask(`GET ${path}`, { token });
      const written = await ask(`PATCH ${path}`, {
        token,
        headers: { 'If-Match': seen.headers.get('etag') ?? '' },
        body: { spec: { description: String(Number(seen.json.spec.description) + 1) } },
      });
      if (written.status === 200) return;
      expect(outcome(written)).toBe('precondition_failed');
    }
  };
  await Promise.all(Array.from({ length: 12 }, count));
  expect((await ask(`GET ${path}`, { token })).json).toMatchObject({
    spec: { description: '12' },
    metadata: { generation: 13, resourceVersion: '13' },
  });
});

test('every change of a storm is counted once: each answer has a version of its own', async () => {
  const { id } = await add('Ops');
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => await change(id, { spec: { description: `storm ${i}` } })),
  );
  // Who has lost five times to others is told so, and has changed nothing.
  const done = answers.filter(({ status }) => status === 200);
  expect(answers.filter(({ status }) => status !== 200).every((answer) => outcome(answer) === 'conflict')).toBe(true);
  const { metadata } = (await ask(`GET /v1/groups/${id}`, { token })).json;
  expect(metadata).toMatchObject({ generation: 1 + done.length, resourceVersion: String(1 + done.length) });
});

test('a deletion and an action ask for what If-Match names, too', async () => {
  const { id } = await add('Ops');
  const path = `/v1/groups/${id}`;
  await change(id, { spec: { description: 'seen by nobody' } });
  const stale = { token, headers: { 'If-Match': '"1"' } };
  expect(outcome(await ask(`DELETE ${path}`, stale))).toBe('precondition_failed');
  expect(outcome(await ask(`DELETE ${path}`, { token, headers: { 'If-Match': 'W/"2"' } }))).toBe('precondition_failed');
  expect(outcome(await ask(`DELETE ${path}`, { token, headers: { 'If-Match': '2' } }))).toBe('invalid');
  expect(outcome(await ask(`DELETE ${path}`, { token, headers: { 'If-Match': '"1", "2"' } }))).toBe(204);
  // What is not there is not there, whatever was asked of it (RFC 9110 §13.2.1).
  expect(outcome(await ask(`DELETE ${path}`, stale))).toBe('not_found');
  const ada = await person();
  const reset = async (tag: string) =>
    outcome(
      await ask(`POST /v1/users/${ada}/reset-password`, {
        token,
        headers: { 'If-Match': tag },
        body: { password: 'correct horse battery staple' },
      }),
    );
  expect(await reset('"9"')).toBe('precondition_failed');
  expect(new Set(await Promise.all([reset('"1"'), reset('"1"')]))).toEqual(new Set([200, 'precondition_failed']));
  expect(await reset('*')).toBe(200);
});

test('a condition on what has no versions is refused, and not passed over', async () => {
  const made = await ask('POST /v1/groups', {
    token,
    headers: { 'If-None-Match': '*' },
    body: { metadata: { name: 'Ops' }, spec: {} },
  });
  expect(outcome(made)).toBe('bad_request');
  expect(names(await ask('GET /v1/groups', { token }))).toEqual([]);
});

test('a change to what is there already is none', async () => {
  const made = await add('Ops', 'on call');
  const same = await change(made.id, { metadata: { name: 'Ops' }, spec: { description: 'on call' } });
  expect(same.json).toEqual(made);
});

test('a deleted resource waits for its finalizers, takes nothing else, and goes with the last', async () => {
  const { id } = await add('Ops');
  await change(id, { metadata: { finalizers: ['a.example/one', 'a.example/two'] } });
  expect(outcome(await ask(`DELETE /v1/groups/${id}`, { token }))).toBe(204);
  const waiting = (await ask(`GET /v1/groups/${id}`, { token })).json;
  expect(waiting.metadata).toMatchObject({ deletedAt: expect.any(String), generation: 2 });
  expect(outcome(await ask(`DELETE /v1/groups/${id}`, { token }))).toBe(204);
  expect((await ask(`GET /v1/groups/${id}`, { token })).json).toEqual(waiting);
  expect(outcome(await change(id, { spec: { description: 'no' } }))).toBe('conflict');
  expect(outcome(await change(id, { metadata: { finalizers: ['a.example/one', 'a.example/three'] } }))).toBe(
    'conflict',
  );
  expect(outcome(await change(id, { metadata: { finalizers: ['a.example/two'] } }))).toBe(200);
  const last = await change(id, { metadata: { finalizers: [] } });
  expect(last.json.metadata).toMatchObject({ finalizers: [], deletedAt: waiting.metadata.deletedAt });
  expect(outcome(await ask(`GET /v1/groups/${id}`, { token }))).toBe('not_found');
});

test('a list comes whole and in order, page after page, whatever its order', async () => {
  for (const name of ['delta', 'Alpha', 'charlie', 'Bravo', 'echo']) await add(name);
  const byName = ['Alpha', 'Bravo', 'charlie', 'delta', 'echo'];
  expect(await walk('/v1/groups?limit=2')).toEqual(byName);
  expect(await walk('/v1/groups?limit=1&sort=name')).toEqual(byName);
  expect(await walk('/v1/groups?limit=2&sort=-name')).toEqual(byName.toReversed());
  expect((await ask('GET /v1/groups?limit=5', { token })).json.continue).toBeNull();
  expect((await ask('GET /v1/groups?limit=4', { token })).json.continue).toEqual(expect.any(String));
});

test('rows of equal value are told apart: none comes twice, and none is left out', async () => {
  const made = await Promise.all(Array.from({ length: 7 }, async (_, i) => await add(`g${i}`)));
  await env.DB.prepare('UPDATE local_groups SET created_at = 1700000000').run();
  for (const sort of ['createdAt', '-createdAt']) {
    const seen = await walk(`/v1/groups?limit=2&sort=${sort}`);
    expect(seen).toHaveLength(made.length);
    expect(new Set(seen)).toEqual(new Set(made.map(({ metadata }) => metadata.name)));
  }
});

test('what is added or removed between two pages moves no other row', async () => {
  for (const name of ['b', 'd', 'f', 'h']) await add(name);
  const changes = [
    async () => await add('a'),
    async () => await env.DB.prepare("DELETE FROM local_groups WHERE name = 'b'").run(),
  ];
  expect(await walk('/v1/groups?limit=2', async () => await changes.shift()?.())).toEqual(['b', 'd', 'f', 'h']);
});

test('a continue token works for its own list, and neither lends sight nor lets in SQL', async () => {
  const [ada, own] = [await person(), await cluster('own')];
  for (const name of ['aa', 'zz']) await cluster(name);
  await member(own, ada, 'member');
  const theirs = await tokenFor(ada);
  const { json } = await ask('GET /v1/clusters?limit=1', { token });
  expect(names({ json })).toEqual(['aa']);
  expect(names(await ask(`GET /v1/clusters?continue=${json.continue}`, { token: theirs }))).toEqual(['own']);
  expect(outcome(await ask(`GET /v1/groups?sort=-name&continue=${json.continue}`, { token }))).toBe('invalid');
  const forged = (value: unknown) =>
    btoa(JSON.stringify([1, JSON.stringify(['name', false, []]), value, "x' OR 1=1"])).replaceAll('=', '');
  const odd = await ask(`GET /v1/clusters?continue=${forged("'; DROP TABLE clusters; --")}`, { token: theirs });
  expect(names(odd)).toEqual(['own']);
  for (const value of ['\u0000', '\ud800']) {
    expect(outcome(await ask(`GET /v1/clusters?continue=${forged(value)}`, { token: theirs }))).toBe(200);
  }
  expect(outcome(await ask(`GET /v1/clusters?continue=${forged(1)}`, { token }))).toBe('invalid');
});

test('a list is filtered, by several fields at once, and says so where there is no such field', async () => {
  await person({ administrator: true });
  const off = await person();
  await ask(`PATCH /v1/users/${off}`, { token, body: { spec: { enabled: false } } });
  expect(names(await ask('GET /v1/users?enabled=false', { token }))).toEqual([off]);
  expect(names(await ask('GET /v1/users?administrator=true', { token }))).toHaveLength(2);
  expect(names(await ask('GET /v1/users?administrator=true&enabled=false', { token }))).toEqual([]);
  expect(names(await ask(`GET /v1/users?name=${off.toUpperCase()}`, { token }))).toEqual([off]);
  expect(outcome(await ask('GET /v1/users?password_hash=x', { token }))).toBe('invalid');
  expect(outcome(await ask('GET /v1/users?enabled=true&enabled=false', { token }))).toBe('bad_request');
});

test('only the fields that are wanted come, and the id', async () => {
  const { id } = await add('Ops', 'on call');
  const { json } = await ask('GET /v1/groups?fields=metadata.name,spec', { token });
  expect(json.items).toEqual([{ id, metadata: { name: 'Ops' }, spec: { description: 'on call' } }]);
  expect(outcome(await ask('GET /v1/groups?fields=metadata.secret', { token }))).toBe('invalid');
});

test('tokens page too, newest first', async () => {
  for (const description of ['first', 'second', 'third'])
    await ask('POST /v1/tokens', { token, body: { spec: { description } } });
  await env.DB.prepare("UPDATE tokens SET created_at = ?1 + (description = 'second') + 2 * (description = 'third')")
    .bind(nowSeconds() - 9)
    .run();
  const first = await ask('GET /v1/tokens?limit=2&type=api', { token });
  expect(first.json.items.map((item: any) => item.spec.description)).toEqual(['third', 'second']);
  const rest = await ask(`GET /v1/tokens?limit=2&type=api&continue=${first.json.continue}`, { token });
  expect(rest.json).toMatchObject({ items: [{ spec: { description: 'first' } }], continue: null });
  expect((await ask('GET /v1/tokens?readOnly=true', { token })).json.items).toEqual([]);
});

test('a program asks by the declaration, and gets what it says', async () => {
  const client = new Client({
    origin: ORIGIN,
    ask: async (url, init) => await exports.default.fetch(url, init),
    headers: () => ({ authorization: `Bearer ${token}` }),
  });
  const groups = endpointsOf(GroupKind);
  const made = await client.call(groups.create, { body: { metadata: { name: 'Ops' }, spec: {} } });
  const params = { group: made.id };
  const { resourceVersion } = made.metadata;
  const body = { metadata: { resourceVersion }, spec: { description: 'on call' } };
  expect((await client.call(groups.patch, { params, body })).spec.description).toBe('on call');
  await expect(client.call(groups.patch, { params, body })).rejects.toMatchObject({ status: 409, code: 'conflict' });
  const headers = { 'if-match': etagOf(resourceVersion) };
  const seen = client.call(groups.patch, { params, headers, body: { spec: { description: 'off' } } });
  await expect(seen).rejects.toMatchObject({ status: 412, code: 'precondition_failed' });
  expect(await client.call(groups.list, { query: { fields: 'metadata.name' } })).toEqual({
    items: [{ id: made.id, metadata: { name: 'Ops' } }],
    continue: null,
  });
  for (let i = 0; i < 4; i++) await person();
  const people: string[] = [];
  for await (const user of client.resources(UserKind, { limit: '2', administrator: 'false' })) people.push(user.id);
  expect(new Set(people).size).toBe(4);
  expect(await client.call(groups.delete, { params })).toBeUndefined();
});
