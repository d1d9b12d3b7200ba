import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Plane } from '#scripts/local/plane.ts';
import type { Visitor } from '../../support/browser/chromium.ts';
import { Cli, installCli } from '../../support/processes/cli.ts';
import { Scratch } from '../../support/processes/local.ts';
import { press, Stage } from './stage.ts';

const scratch = new Scratch();
let stage: Stage;
let plane: Plane;
let bin: string;

beforeAll(async () => {
  stage = await Stage.start(scratch);
  ({ plane } = stage);
  bin = await installCli(await scratch.folder());
});
afterAll(async () => scratch.clear());

/** Where pictures of the pages go, for somebody to look at; unset: nowhere. */
const PICTURES = process.env['OUTRIDER_PICTURES'];
async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** The line by which Chromium notes that a page or an address was answered with this status: expected where a test is refused something. */
const refusal = (status: number) =>
  expect.stringMatching(new RegExp(`^Failed to load resource: the server responded with a status of ${status} `));

const fill = async (page: Page, label: string | RegExp, text: string): Promise<void> =>
  await page.getByLabel(label, { exact: true }).fill(text);

const newcomer = async (): Promise<Cli> =>
  new Cli(bin, await scratch.folder(), {
    OUTRIDER_SERVER: plane.url,
    OUTRIDER_CA_FILE: plane.caFile ?? '',
    BROWSER: '/bin/true',
  });

describe('signing in', () => {
  test('with a password made for one use, which has to be replaced by one of one’s own', async () => {
    const { page, context, complaints } = await stage.visitor();
    await page.goto(`${plane.url}/login`);
    await picture(page, 'login');
    expect(complaints).toEqual([]);
    await fill(page, 'Name', 'admin');
    await fill(page, 'Password', 'a guess');
    await press(page, 'Sign in');
    expect(await page.getByRole('alert').textContent()).toBe('The name or the password is wrong.');
    await picture(page, 'login-wrong');
    await fill(page, 'Password', stage.firstPassword);
    await press(page, 'Sign in');
    expect(await page.getByRole('alert').textContent()).toContain('choose your own');
    await picture(page, 'login-change');
    await fill(page, 'Password', stage.firstPassword);
    await fill(page, /^New password/, 'a password of my own');
    await press(page, 'Sign in');
    expect(await page.getByText('You are signed in as').textContent()).toBe('You are signed in as admin.');
    await picture(page, 'signed-in');
    expect(complaints).toEqual([refusal(401), refusal(403)]);
    expect(await context.cookies()).toEqual([
      expect.objectContaining({
        name: '__Host-outrider-session',
        // Without a dot before it: this host alone.
        domain: new URL(plane.url).hostname,
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
      }),
    ]);
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  test.each([
    ['an OpenID provider', async (one: Visitor) => stage.signInWithOidc(one), 'ada'],
    ['GitHub', async (one: Visitor) => stage.signInWithGitHub(one), 'octocat'],
  ])('with %s, through its own pages and back', async (_, signIn, username) => {
    const one = await stage.visitor();
    await one.page.goto(`${plane.url}/login`);
    await signIn(one);
    expect(await one.page.getByText('You are signed in as').textContent()).toBe(`You are signed in as ${username}.`);
    expect(one.page.url()).toBe(`${plane.url}/login`);
    // The cookie of the sign-in itself is gone again.
    expect((await one.context.cookies(plane.url)).map(({ name }) => name)).toEqual(['__Host-outrider-session']);
    expect(one.complaints).toEqual([]);
  });
});

// Side by side: a device asks but every five seconds.
describe.concurrent('signing the CLI in', () => {
  test.each([
    ['Approve', 'Approved', 0],
    ['Deny', 'Denied', 4],
  ] as const)('by device code, %s', async (decision, title, code) => {
    const cli = await newcomer();
    const login = cli.terminal(['login', '--device']);
    const [, userCode = ''] = await login.printed(/^ {4}(\S+)\r?$/m);
    const one = await stage.visitor();
    const { page } = one;
    await page.goto(`${plane.url}/device?user_code=${userCode}`);
    await stage.signInWithOidc(one);
    expect(page.url()).toBe(`${plane.url}/device?user_code=${userCode}`);
    await picture(page, 'device');
    const shown = await page.locator('body').innerText();
    for (const said of [userCode, 'outrider-cli', 'ada', '127.0.0.1']) expect(shown).toContain(said);
    await press(page, decision);
    expect(await page.getByRole('heading').textContent()).toBe(title);
    await picture(page, `device-${decision}`);
    expect(await login.exited).toMatchObject({ code });
    expect(await cli.run(['whoami'])).toMatchObject({ code: code === 0 ? 0 : 3 });
    expect(one.complaints).toEqual([]);
  });

  test.each([
    ['Approve', 'Almost signed in', 0],
    ['Deny', 'Not signed in', 4],
  ] as const)('by the browser of its own machine, %s', async (decision, title, code) => {
    const cli = await newcomer();
    const login = cli.terminal(['login']);
    const [, address = ''] = await login.printed(/^ {2}(https:\S+)\r?$/m);
    const one = await stage.visitor();
    const { page } = one;
    await page.goto(address);
    await stage.signInWithGitHub(one);
    await picture(page, 'consent');
    expect(await page.locator('body').innerText()).toMatch(/outrider-cli.*octocat/s);
    expect(one.complaints).toEqual([]);
    await press(page, decision);
    await page.waitForURL('http://127.0.0.1:*/callback**');
    expect(await page.getByRole('heading').textContent()).toBe(title);
    await picture(page, `consent-${decision}`);
    expect(await login.exited).toMatchObject({ code });
    expect(await cli.run(['whoami'])).toMatchObject({ code: code === 0 ? 0 : 3 });
  });
});
