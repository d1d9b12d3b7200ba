import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { PROJECT } from '#scripts/lib/project.ts';
import { setUp } from '#scripts/local/setup.ts';
import { reach, Scratch } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

const Device = z.object({ device_code: z.string(), verification_uri_complete: z.string(), interval: z.number() });
const Token = z.object({ access_token: z.string() });

test('a device is signed in by its person’s browser, on a real plane over HTTPS', async () => {
  const plane = await scratch.plane({ project: PROJECT });
  const { administrator } = await setUp(plane);
  const form = async (path: string, fields: Record<string, string>, cookie = '') =>
    reach(plane, path, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin: plane.url, cookie },
      body: new URLSearchParams(fields),
    });

  const started = await form('/v1/auth/device/code', { client_id: 'outrider-cli', device_name: 'e2e' });
  const device = Device.parse(await started.json());
  const poll = async () =>
    form('/v1/auth/device/token', {
      client_id: 'outrider-cli',
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: device.device_code,
    });
  expect([(await poll()).status, await (await poll()).json()]).toMatchObject([400, { error: 'slow_down' }]);

  // The browser: the link of the device, the sign-in that it leads to, with a password of one's own, and back.
  const page = new URL(device.verification_uri_complete);
  expect(page.origin).toBe(plane.url);
  const asked = await reach(plane, page.pathname + page.search, { redirect: 'manual' });
  const login = new URL(asked.headers.get('location') ?? '', plane.url);
  const returnTo = login.searchParams.get('returnTo') ?? '';
  const typed = { username: administrator.username, password: z.string().parse(administrator.password), returnTo };
  expect((await form('/login', typed)).status).toBe(403);
  const signedIn = await form('/login', { ...typed, newPassword: 'a password of my own' });
  expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, page.pathname + page.search]);
  const cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  expect(cookie).toMatch(/^__Host-outrider-session=/);

  const shown = await (await reach(plane, returnTo, { headers: { cookie } })).text();
  expect(shown).toContain('e2e');
  const hidden = [...shown.matchAll(/name="(csrf|user_code)" value="([^"]+)"/g)].map(
    ([, name = '', value = '']) => [name, value] as const,
  );
  const decided = await form('/device', { ...Object.fromEntries(hidden), decision: 'approve' }, cookie);
  expect(decided.status).toBe(200);

  const { access_token: token } = Token.parse(await (await poll()).json());
  const me = await reach(plane, '/v1/me', { headers: { authorization: `Bearer ${token}` } });
  expect(await me.json()).toMatchObject({ user: { username: administrator.username } });
  expect(await (await poll()).json()).toMatchObject({ error: 'invalid_grant' });

  // The address is what the runtime saw, and no client can set it.
  const listed = await reach(plane, '/v1/tokens', { headers: { authorization: `Bearer ${token}` } });
  expect(await listed.json()).toMatchObject({
    items: expect.arrayContaining([
      expect.objectContaining({
        spec: { description: 'outrider-cli on e2e, by device code', cluster: null, readOnly: false },
      }),
    ]),
  });
});
