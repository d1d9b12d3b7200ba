import { env } from 'cloudflare:workers';
import { base64url } from 'jose';
import { DEVICE_GRANT } from '#schema/api/account/oauth.ts';
import { randomBase32 } from '#schema/ids.ts';
import { AgentKey } from '../support/agent.ts';
import { ask, cluster, config, member, operatorToken, person, tokenFor, type Answer } from '../management/client.ts';
import type { World } from '../providers/support/world.ts';
import { hiddenFields, PASSWORD, personWithPassword, sessionOf, submit, visit, WRITES } from '../sign-in/browser.ts';

/** What one call of the table needs; made before it, and then asked twice. */
interface Case {
  ask(): Promise<Answer>;
  /** It changes nothing, so nothing of it need be in a transaction. */
  readonly idle?: true;
  /** It is nobody's act: no event. */
  readonly unheard?: true;
}

type Make = (world: World) => Promise<Case>;

const NEW_PASSWORD = 'another one of my own';
const VERIFIER = 'a-verifier-of-forty-three-characters-or-more';
const CLIENT = { client_id: 'outrider-cli' };
const REDIRECT = 'http://127.0.0.1:53682/callback';
const CONSENT = '/v1/auth/cli/authorize';
const APP = { type: 'github', clientId: 'Iv1.outrider', clientSecret: 'github-client-secret' };

/** A call by the administrator. */
const by = (world: World, what: string, body?: unknown): Case => ({ ask: async () => await world.ask(what, body) });
const byOperator = async (what: string, body?: unknown): Promise<Case> => {
  const token = await operatorToken();
  return { ask: async () => await ask(what, { token, ...(body === undefined ? {} : { body }) }) };
};
const idOf = async (answer: Promise<Answer>): Promise<string> => {
  const { status, json, text } = await answer;
  if (status >= 400) throw new Error(text);
  return json.id;
};

const group = async (world: World): Promise<string> =>
  await idOf(world.ask('POST /v1/groups', { metadata: { name: fresh() }, spec: {} }));
const role = async (world: World): Promise<string> =>
  await idOf(
    world.ask('POST /v1/global-roles', { metadata: { name: fresh() }, spec: { permissions: ['settings.manage'] } }),
  );
const untested = async (world: World): Promise<string> => {
  await world.ask('POST /v1/auth/providers', {
    metadata: { name: 'other' },
    spec: { displayName: 'x', config: APP },
  });
  return '/v1/auth/providers/other';
};
const fresh = (): string => `n${randomBase32(8)}`;
const GROUP = 'github_team://7';

async function device(): Promise<{ device_code: string; user_code: string }> {
  return (await visit('POST /v1/auth/device/code', { form: CLIENT })).json;
}
const pageOf = async (path: string, cookie: string): Promise<Record<string, string>> => ({
  ...hiddenFields((await visit(`GET ${path}`, { cookie })).text),
  decision: 'approve',
});
async function consentPath(): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(VERIFIER));
  const asked = { response_type: 'code', ...CLIENT, redirect_uri: REDIRECT, state: 'a-state' };
  const challenge = { code_challenge: base64url.encode(new Uint8Array(digest)), code_challenge_method: 'S256' };
  return `${CONSENT}?${new URLSearchParams({ ...asked, ...challenge }).toString()}`;
}
const cookieOfNew = async (): Promise<string> => (await sessionOf(await person())).cookie;

/** Every call that may change something, once with success: a route that is not here fails the test. */
export const CALLS: Readonly<Record<string, Make>> = {
  'PUT /v1/setup/administrator': async () => {
    await env.DB.prepare('DELETE FROM users').run();
    return await byOperator('PUT /v1/setup/administrator', { username: 'admin', password: PASSWORD });
  },
  'POST /v1/setup/password': async () => {
    const { username } = await personWithPassword({ administrator: true });
    return await byOperator('POST /v1/setup/password', { username, password: NEW_PASSWORD });
  },
  'POST /v1/setup/reencrypt': async () => {
    const checked = await config();
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    Object.assign(checked, { secretsKeys: [{ id: `k${Date.now()}`, key }, ...checked.secretsKeys] });
    return await byOperator('POST /v1/setup/reencrypt');
  },
  'POST /v1/auth/local': async () => {
    const { username } = await personWithPassword();
    return { ask: async () => await ask('POST /v1/auth/local', { body: { username, password: PASSWORD } }) };
  },
  'PATCH /v1/me/password': async () => {
    const { id } = await personWithPassword();
    const token = await tokenFor(id);
    const body = { oldPassword: PASSWORD, newPassword: NEW_PASSWORD };
    return { ask: async () => await ask('PATCH /v1/me/password', { token, body }) };
  },
  'POST /v1/users': async (world) =>
    by(world, 'POST /v1/users', { metadata: { name: fresh() }, spec: { password: NEW_PASSWORD } }),
  'PATCH /v1/users/{user}': async (world) =>
    by(world, `PATCH /v1/users/${await person()}`, { spec: { enabled: false } }),
  'DELETE /v1/users/{user}': async (world) => by(world, `DELETE /v1/users/${await person()}`),
  'POST /v1/users/{user}/reset-password': async (world) =>
    by(world, `POST /v1/users/${await person()}/reset-password`, { password: NEW_PASSWORD }),
  'POST /v1/groups': async (world) => by(world, 'POST /v1/groups', { metadata: { name: fresh() }, spec: {} }),
  'PATCH /v1/groups/{group}': async (world) =>
    by(world, `PATCH /v1/groups/${await group(world)}`, { metadata: { name: fresh() } }),
  'DELETE /v1/groups/{group}': async (world) => by(world, `DELETE /v1/groups/${await group(world)}`),
  'PUT /v1/groups/{group}/members/{user}': async (world) =>
    by(world, `PUT /v1/groups/${await group(world)}/members/${await person()}`),
  'DELETE /v1/groups/{group}/members/{user}': async (world) => {
    const path = `/v1/groups/${await group(world)}/members/${await person()}`;
    await world.ask(`PUT ${path}`);
    return by(world, `DELETE ${path}`);
  },
  'POST /v1/tokens': async (world) => by(world, 'POST /v1/tokens', { spec: {} }),
  'DELETE /v1/tokens/{token}': async (world) =>
    by(world, `DELETE /v1/tokens/${await idOf(world.ask('POST /v1/tokens', { spec: {} }))}`),
  'DELETE /v1/tokens': async (world) => by(world, 'DELETE /v1/tokens'),
  'DELETE /v1/users/{user}/tokens': async (world) => by(world, `DELETE /v1/users/${await person()}/tokens`),
  'POST /v1/clusters': async (world) => by(world, 'POST /v1/clusters', { metadata: { name: fresh() }, spec: {} }),
  'PATCH /v1/clusters/{cluster}': async (world) =>
    by(world, `PATCH /v1/clusters/${await cluster()}`, { metadata: { name: fresh() } }),
  'DELETE /v1/clusters/{cluster}': async (world) => by(world, `DELETE /v1/clusters/${await cluster()}`),
  'GET /v1/clusters/{cluster}/kubeconfig': async (world) =>
    by(world, `GET /v1/clusters/${await cluster()}/kubeconfig?ttl=60`),
  'PUT /v1/clusters/{cluster}/members/{user}': async (world) =>
    by(world, `PUT /v1/clusters/${await cluster()}/members/${await person()}`, { role: 'member' }),
  'DELETE /v1/clusters/{cluster}/members/{user}': async (world) => {
    const [id, user] = [await cluster(), await person()];
    await member(id, user, 'member');
    return by(world, `DELETE /v1/clusters/${id}/members/${user}`);
  },
  'PUT /v1/clusters/{cluster}/groups': async (world) =>
    by(world, `PUT /v1/clusters/${await cluster()}/groups`, { group: GROUP, role: 'member' }),
  'DELETE /v1/clusters/{cluster}/groups': async (world) => {
    const path = `/v1/clusters/${await cluster()}/groups`;
    await world.ask(`PUT ${path}`, { group: GROUP, role: 'member' });
    return by(world, `DELETE ${path}?group=${encodeURIComponent(GROUP)}`);
  },
  'POST /v1/global-roles': async (world) =>
    by(world, 'POST /v1/global-roles', { metadata: { name: fresh() }, spec: { permissions: ['settings.manage'] } }),
  'PATCH /v1/global-roles/{role}': async (world) =>
    by(world, `PATCH /v1/global-roles/${await role(world)}`, { metadata: { name: fresh() } }),
  'DELETE /v1/global-roles/{role}': async (world) => by(world, `DELETE /v1/global-roles/${await role(world)}`),
  'POST /v1/global-role-bindings': async (world) =>
    by(world, 'POST /v1/global-role-bindings', { spec: { role: 'user', user: await person() } }),
  'DELETE /v1/global-role-bindings/{binding}': async (world) => {
    const body = { spec: { role: 'user', user: await person() } };
    return by(world, `DELETE /v1/global-role-bindings/${await idOf(world.ask('POST /v1/global-role-bindings', body))}`);
  },
  'POST /v1/clusters/{cluster}/registration-tokens': async (world) =>
    by(world, `POST /v1/clusters/${await cluster()}/registration-tokens`, { spec: {} }),
  'DELETE /v1/clusters/{cluster}/registration-tokens/{registrationToken}': async (world) => {
    const path = `/v1/clusters/${await cluster()}/registration-tokens`;
    return by(world, `DELETE ${path}/${await idOf(world.ask(`POST ${path}`, { spec: {} }))}`);
  },
  'POST /connect/register': async (world) => {
    const made = await world.ask(`POST /v1/clusters/${await cluster()}/registration-tokens`, { spec: {} });
    const body = {
      token: /\/import\/([^.]+)\.yaml/.exec(made.json.importUrl)?.[1],
      publicKey: (await AgentKey.make()).publicKey,
      kubeSystemUid: crypto.randomUUID(),
      kubernetesVersion: 'v1.34.0',
    };
    return { ask: async () => await ask('POST /connect/register', { body }) };
  },
  'POST /v1/auth/providers': async (world) =>
    by(world, 'POST /v1/auth/providers', {
      metadata: { name: 'other' },
      spec: { displayName: 'x', config: APP },
    }),
  'PATCH /v1/auth/providers/{provider}': async (world) =>
    by(world, 'PATCH /v1/auth/providers/github', { spec: { displayName: 'Another name' } }),
  'DELETE /v1/auth/providers/{provider}': async (world) => by(world, 'DELETE /v1/auth/providers/github'),
  'POST /v1/auth/providers/{provider}/test': async (world) => by(world, `POST ${await untested(world)}/test`),
  'POST /v1/auth/providers/{provider}/enable': async (world) => {
    const path = await untested(world);
    await world.ask(`POST ${path}/test`);
    return by(world, `POST ${path}/enable`);
  },
  'POST /v1/auth/providers/{provider}/disable': async (world) => by(world, 'POST /v1/auth/providers/github/disable'),
  'GET /v1/auth/providers/{provider}/callback': async (world) => {
    world.gitHub.addAccount('octocat', { orgs: [], teams: [] });
    // A browser each time: one that comes back again is refused.
    return { ask: async () => await world.signIn('github', 'octocat') };
  },
  'POST /v1/users/{user}/principals': async (world) =>
    by(world, `POST /v1/users/${await person()}/principals`, { principal: 'github_user://7' }),
  'DELETE /v1/users/{user}/principals': async (world) => {
    const { id } = await personWithPassword();
    await world.ask(`POST /v1/users/${id}/principals`, { principal: 'github_user://7' });
    return by(world, `DELETE /v1/users/${id}/principals?principal=${encodeURIComponent('github_user://7')}`);
  },
  'POST /v1/users/{user}/refresh': async (world) => {
    world.gitHub.addAccount('octocat', { orgs: [], teams: [] });
    const { json } = await world.signIn('github', 'octocat');
    return by(world, `POST /v1/users/${json.user.id}/refresh`);
  },
  'POST /v1/auth/logout': async () => {
    const { cookie } = await sessionOf(await person());
    return { ask: async () => await ask('POST /v1/auth/logout', { headers: { cookie, ...WRITES } }) };
  },
  'POST /v1/auth/device/code': async () => ({
    ask: async () => await visit('POST /v1/auth/device/code', { form: CLIENT }),
    idle: true,
    unheard: true,
  }),
  'POST /v1/auth/device/token': async () => {
    const [asked, cookie] = [await device(), await cookieOfNew()];
    await submit('/device', cookie, await pageOf(`/device?user_code=${asked.user_code}`, cookie));
    const form = { ...CLIENT, grant_type: DEVICE_GRANT, device_code: asked.device_code };
    return { ask: async () => await visit('POST /v1/auth/device/token', { form }) };
  },
  'POST /v1/auth/cli/token': async () => {
    const [path, cookie] = [await consentPath(), await cookieOfNew()];
    const back = (await submit(CONSENT, cookie, await pageOf(path, cookie))).headers.get('location') ?? '';
    const code = new URL(back).searchParams.get('code') ?? '';
    const form = { ...CLIENT, grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER };
    return { ask: async () => await visit('POST /v1/auth/cli/token', { form }) };
  },
  'PATCH /v1/settings': async (world) => by(world, 'PATCH /v1/settings', { sessionTtlSeconds: 7200 }),
  'POST /login': async () => {
    const { username } = await personWithPassword();
    return { ask: async () => await submit('/login', undefined, { username, password: PASSWORD }) };
  },
  'POST /logout': async () => {
    const cookie = await cookieOfNew();
    return { ask: async () => await submit('/logout', cookie, {}) };
  },
  'POST /device': async () => {
    const [asked, cookie] = [await device(), await cookieOfNew()];
    const form = await pageOf(`/device?user_code=${asked.user_code}`, cookie);
    return { ask: async () => await submit('/device', cookie, form) };
  },
  [`POST ${CONSENT}`]: async () => {
    const [path, cookie] = [await consentPath(), await cookieOfNew()];
    const form = await pageOf(path, cookie);
    return { ask: async () => await submit(CONSENT, cookie, form) };
  },
};
