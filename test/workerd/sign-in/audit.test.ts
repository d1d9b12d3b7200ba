import { expect, test } from 'vitest';
import { DEVICE_GRANT } from '#schema/api/account/oauth.ts';
import { SESSION_COOKIE } from '#workers/authn/browser/cookie.ts';
import { landed } from '../audit/events.ts';
import { ask } from '../management/client.ts';
import { hiddenFields, PASSWORD, personWithPassword, submit, visit, WRITES } from './browser.ts';

// Checked by taking out `audited` in `callPage`: it failed.

test('what pages and codes do is in the audit log under its person, and nothing that was typed or given', async () => {
  const { id, username } = await personWithPassword();
  await submit('/login', undefined, { username, password: 'a wrong password' });
  const signedIn = await submit('/login', undefined, { username, password: PASSWORD });
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const client = { client_id: 'outrider-cli' };
  const device = (await visit('POST /v1/auth/device/code', { form: { ...client, device_name: 'a-laptop' } })).json;
  const form = { ...client, grant_type: DEVICE_GRANT, device_code: device.device_code };
  expect((await visit('POST /v1/auth/device/token', { form })).json.error).toBe('authorization_pending');
  const { text } = await visit(`GET /device?user_code=${device.user_code}`, { cookie });
  await submit('/device', cookie, { ...hiddenFields(text), decision: 'approve' });
  const { access_token: token } = (await visit('POST /v1/auth/device/token', { form })).json;
  await ask('POST /v1/auth/logout', { headers: { cookie, ...WRITES } });

  const events = await landed();
  expect(events.map(({ requestURI, user, responseStatus }) => [requestURI, user.uid, responseStatus?.code])).toEqual([
    ['/login', id, 401],
    ['/login', id, 200],
    ['/device', id, 200],
    ['/v1/auth/device/token', id, 200],
    ['/v1/auth/logout', id, 204],
  ]);
  const written = JSON.stringify(events);
  const secrets = [PASSWORD, 'a wrong password', device.device_code, device.user_code, token, cookie, SESSION_COOKIE];
  for (const secret of secrets) expect(written).not.toContain(secret);
});
