import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { PAGES } from '#workers/api/pages/pages.ts';
import { checkConfig } from '#workers/env.ts';
import { addCluster } from '#workers/store/clusters.ts';
import { ask, cluster, member, nowSeconds, ORIGIN, outcome, person, tokenFor } from '../management/client.ts';
import { personWithPassword, READS, sessionOf, submit, visit } from './browser.ts';

// Checked by taking out, one at a time: `requireOwnForm` in the sign-out, its revocation, `bdi`, and the look at `accept`: each time a test that names it failed.

beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('the front of the plane leads to the page of who is signed in', async () => {
  const answer = await visit('GET /');
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login']);
});

test('whoever is signed in sees their clusters and nobody else’s, and how to go on from a terminal', async () => {
  const { id, username } = await personWithPassword();
  const [mine, theirs] = [await cluster(), await cluster()];
  await member(mine, id, 'member');
  const name = async (of: string): Promise<string> =>
    (await env.DB.prepare('SELECT name FROM clusters WHERE id = ?').bind(of).first<string>('name')) ?? '';
  const { cookie } = await sessionOf(id);
  const { text } = await visit('GET /login', { cookie });
  for (const said of [username, await name(mine), `outrider login --server ${ORIGIN}`, 'action="/logout"', '/device']) {
    expect(text).toContain(said);
  }
  expect(text).not.toContain(await name(theirs));
});

// Tried with `publicCa === ''`, which it never is: a file was named that nobody has.
test('where the plane’s certificate is public, nobody is told of a file with its authority', async () => {
  const { text } = await visit('GET /login', { cookie: (await sessionOf(await person())).cookie });
  expect((await checkConfig(env)).publicCa).toBeNull();
  expect(text).toContain(`<code>outrider login --server ${ORIGIN}\n`);
  expect(text).not.toMatch(/ca-file|ca\.crt/);
});

test('whoever has no cluster is told what makes one theirs', async () => {
  const { cookie } = await sessionOf(await person());
  expect((await visit('GET /login', { cookie })).text).toContain('An owner of a cluster, or an administrator');
  const maker = await sessionOf(await person({ administrator: true }));
  expect((await visit('GET /login', { cookie: maker.cookie })).text).toContain('outrider clusters import');
});

test('whoever has many clusters is shown the first of them', async () => {
  const id = await person({ administrator: true });
  for (let i = 10; i < 35; i++) {
    const made = { id: `c-${String(i).padStart(20, 'a')}`, name: `name-${i}`, createdAt: nowSeconds(), createdBy: id };
    expect(await addCluster(env.DB, made)).toBe(true);
  }
  const { text } = await visit('GET /login', { cookie: (await sessionOf(id)).cookie });
  expect(text.match(/<li>/g)).toHaveLength(20);
  expect(text).toContain('These are the first 20');
});

test('a name with marks of direction in it turns nothing around but itself', async () => {
  const { cookie } = await sessionOf(await person());
  const device_name = '\u202Eevil';
  const started = await visit('POST /v1/auth/device/code', { form: { client_id: 'outrider-cli', device_name } });
  const { text } = await visit(`GET /device?user_code=${started.json.user_code}`, { cookie });
  expect(text).toContain(`<bdi>${device_name}</bdi>`);
});

test('signing out by the form ends the session everywhere, and says so to whoever is out already', async () => {
  const { cookie } = await sessionOf(await person());
  expect((await ask('GET /v1/me', { headers: { cookie, ...READS } })).status).toBe(200);
  const answer = await submit('/logout', cookie, {});
  expect([answer.status, answer.headers.get('set-cookie')]).toEqual([
    200,
    expect.stringMatching(/^__Host-outrider-session=; Max-Age=0;/),
  ]);
  expect(outcome(await ask('GET /v1/me', { headers: { cookie, ...READS } }))).toBe('unauthenticated');
  expect((await submit('/logout', cookie, {})).text).toContain('no session here any more');
});

test.each([{}, { origin: 'https://evil.example' }, { origin: 'null' }])(
  'attack: nobody is signed out by a form with %o',
  async (headers: Record<string, string>) => {
    const { cookie } = await sessionOf(await person());
    const answer = await visit('POST /logout', { cookie, form: {}, headers });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null]);
    expect((await ask('GET /v1/me', { headers: { cookie, ...READS } })).status).toBe(200);
  },
);

test('every page’s refusal is a page: what to do, a way out, and what the log calls it', async () => {
  for (const { endpoint } of PAGES.filter(({ endpoint: { path } }) => path !== '/')) {
    const twice = { headers: { 'impersonate-user': 'somebody' } };
    const answer = await visit(`${endpoint.method} ${endpoint.path}`, endpoint.method === 'GET' ? twice : {});
    expect([endpoint.operation, answer.status]).toEqual([endpoint.operation, 403]);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.text).toContain('<a href="/login">');
    expect(answer.text).toContain(answer.headers.get('x-request-id'));
  }
});

test('an address where nothing is gets a page in a browser, and a problem in a program; the API is always for programs', async () => {
  const [browser, program] = [await visit('GET /nowhere', { headers: HTML }), await visit('GET /nowhere')];
  expect([browser.status, browser.text]).toEqual([404, expect.stringContaining('<a href="/login">')]);
  expect([program.status, program.json.code]).toEqual([404, 'not_found']);
  const api = await ask('GET /v1/clusters', { token: await tokenFor('u-aaaaaaaaaaaaaaaaaaaa'), headers: HTML });
  expect(api.headers.get('content-type')).toBe('application/problem+json');
});

test.each(['/login', '/device', '/nowhere'])(
  '%s runs no script, is in no frame, and tells no other site its address',
  async (path) => {
    const { headers, text } = await visit(`GET ${path}`, {
      headers: HTML,
      cookie: (await sessionOf(await person())).cookie,
    });
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).not.toMatch(/<script| on[a-z]+="| style="/);
    expect(text).toMatch(/^<!doctype html>\n<html lang="en">/);
  },
);
