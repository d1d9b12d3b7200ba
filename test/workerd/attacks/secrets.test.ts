import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { ROUTES } from '#workers/http/routes.ts';
import { ask, cluster, member, person, tokenFor } from '../management/client.ts';
import { PASSWORD, personWithPassword } from '../sign-in/browser.ts';

// What somebody may read opens nothing more. Tried with a provider's configuration in its name, which is shown: the administrator's row failed.

/** By what each is known in a test that fails. */
const secrets = new Map<string, string>();
const ids = new Map<string, string>();
const readers = new Map<string, string>();

beforeAll(async () => {
  const administrator = await person({ administrator: true });
  const token = await tokenFor(administrator);
  const { id: user } = await personWithPassword();
  const id = await cluster();
  await member(id, user, 'owner');
  const reader = await person();
  await member(id, reader, 'read-only');
  readers
    .set('a reader', await tokenFor(reader))
    .set('an owner', await tokenFor(user))
    .set('an administrator', token);

  const registered = await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: { spec: {} } });
  secrets.set('registration token', /import\/([a-z2-7]+)\.yaml/.exec(registered.json.importUrl)?.[1] ?? '');
  const made = await ask('POST /v1/tokens', {
    token: readers.get('an owner'),
    body: { spec: { description: 'a program' } },
  });
  secrets.set('token of somebody', made.json.token);
  const config = { type: 'github', hostname: 'github.com', clientId: 'app', clientSecret: 'secret-of-the-app' };
  await ask('POST /v1/auth/providers', {
    token,
    body: { metadata: { name: 'github' }, spec: { displayName: 'GitHub', config } },
  });
  const directory = {
    type: 'activedirectory',
    via: { kind: 'cluster', cluster: id },
    servers: ['dc1.corp.example'],
    port: 636,
    security: 'ldaps',
    ca: null,
    searchBase: 'DC=corp,DC=example',
    bindName: 'search@corp.example',
    bindPassword: 'secret-of-the-search',
    loginAttribute: 'sAMAccountName',
  };
  await ask('POST /v1/auth/providers', {
    token,
    body: { metadata: { name: 'corp' }, spec: { displayName: 'Corp', config: directory } },
  });
  secrets.set('secret of an OAuth App', config.clientSecret).set('password of a directory', directory.bindPassword);

  const { password_hash: hash } = await row('SELECT password_hash FROM users WHERE id = ?', user);
  secrets.set('password', PASSWORD).set('hash of a password', String(hash));
  secrets.set('private signing key', String(JSON.parse(env.SIGNING_KEYS)[0].d));
  secrets.set('key of cluster ids', env.CLUSTER_ID_KEY).set('key of secrets', JSON.parse(env.SECRETS_KEYS)[0].key);
  for (const [what, secret] of secrets) expect([what, secret.length > 10]).toEqual([what, true]);
  ids.set('cluster', id).set('user', user).set('provider', 'corp');
  expect((await ask('GET /v1/auth/providers', { token })).json.items).toHaveLength(2);
});

const row = async (sql: string, id: string): Promise<Record<string, unknown>> =>
  (await env.DB.prepare(sql).bind(id).first()) ?? {};

const reads = ROUTES.map(({ endpoint }) => endpoint).filter(({ method }) => method === 'GET');

test.each(['a reader', 'an owner', 'an administrator'])(
  'attack: nothing that %s may read holds a secret of the plane, of a cluster or of anybody (CVE-2021-36782, CVE-2022-43757)',
  async (reader) => {
    let answered = 0;
    for (const { path, operation } of reads) {
      const concrete = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids.get(name) ?? 'nothing');
      const { status, text } = await ask(`GET ${concrete}`, { token: readers.get(reader) });
      if (status === 200) answered++;
      for (const [what, secret] of secrets)
        expect([operation, what, text.includes(secret)]).toEqual([operation, what, false]);
    }
    // It was not refusals that held none.
    expect(answered).toBeGreaterThan(reader === 'an administrator' ? 15 : 5);
  },
);
