import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { setUpAdministrator } from '#scripts/local/setup.ts';
import { Cli, installCli } from '../../support/processes/cli.ts';
import { reach, Scratch } from '../../support/processes/local.ts';

const scratch = new Scratch();
let plane: Plane;
let bin: string;
/** The session of the administrator's browser. */
let cookie: string;

const form = async (path: string, fields: Record<string, string>) =>
  reach(plane, path, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: plane.url, ...(cookie === undefined ? {} : { cookie }) },
    body: new URLSearchParams(fields),
  });

/** What a page asks, with a decision. */
async function decide(path: string, decision: 'approve' | 'deny'): Promise<{ shown: string; location: string }> {
  const shown = await (await reach(plane, path, { headers: { cookie } })).text();
  const hidden = [...shown.matchAll(/name="(\w+)" value="([^"]+)"/g)].map(
    ([, name = '', value = '']) => [name, value.replaceAll('&amp;', '&')] as const,
  );
  const [action = ''] = path.split('?');
  const decided = await form(action, { ...Object.fromEntries(hidden), decision });
  return { shown, location: decided.headers.get('location') ?? '' };
}

const newcomer = async (): Promise<Cli> =>
  new Cli(bin, await scratch.folder(), {
    OUTRIDER_SERVER: plane.url,
    OUTRIDER_CA_FILE: plane.caFile ?? '',
    BROWSER: '/bin/true',
  });

beforeAll(async () => {
  plane = await scratch.plane({ project: PROJECT });
  const password = (await setUpAdministrator(plane)).password ?? '';
  bin = await installCli(await scratch.folder());
  const chosen = { newPassword: 'a password of my own', returnTo: '/device' };
  const signedIn = await form('/login', { username: 'admin', password, ...chosen });
  cookie = signedIn.headers.getSetCookie()[0]?.split(';')[0] ?? '';
});
afterAll(async () => scratch.clear());

describe('the plane’s own pages', () => {
  test('outrider login --device: the page shows the code and the client, and signs it in', async () => {
    const cli = await newcomer();
    const login = cli.terminal(['login', '--device']);
    const [, code = ''] = await login.printed(/^ {4}(\S+)\r?$/m);
    const { shown } = await decide(`/device?user_code=${code}`, 'approve');
    expect(shown).toContain('outrider-cli');
    expect(shown).toContain(code);
    expect(await login.exited).toMatchObject({ code: 0 });
    expect(await cli.json(['whoami'])).toMatchObject({ user: { username: 'admin' } });
  });

  test.each([
    ['approve', 0],
    ['deny', 4],
  ] as const)('outrider login with the browser, %s', async (decision, code) => {
    const cli = await newcomer();
    const login = cli.terminal(['login']);
    const [, address = ''] = await login.printed(/^ {2}(https:\S+)\r?$/m);
    const { pathname, search } = new URL(address);
    const { location } = await decide(pathname + search, decision);
    await fetch(location);
    expect(await login.exited).toMatchObject({ code });
    expect(await cli.run(['whoami'])).toMatchObject({ code: code === 0 ? 0 : 3 });
  });
});
