import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Plane } from '#scripts/local/plane.ts';
import type { Visitor } from '../../support/browser/chromium.ts';
import { look } from '../../support/browser/look.ts';
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
    expect(await look(page, 'login')).toEqual([]);
    expect(complaints).toEqual([]);
    await fill(page, 'Name', 'admin');
    await fill(page, 'Password', 'a guess');
    await press(page, 'Sign in');
    expect(await page.getByRole('alert').textContent()).toContain('The name or the password is wrong.');
    expect(await look(page, 'login-wrong')).toEqual([]);
    await fill(page, 'Password', stage.firstPassword);
    await press(page, 'Sign in');
    expect(await page.getByRole('alert').textContent()).toContain('choose your own');
    expect(await look(page, 'login-change')).toEqual([]);
    await fill(page, 'Password', stage.firstPassword);
    await fill(page, /^New password/, 'a password of my own');
    await press(page, 'Sign in');
    expect(await page.getByText('You are signed in as').textContent()).toBe('You are signed in as admin.');
    expect(await look(page, 'signed-in')).toEqual([]);
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
    ['an OpenID provider', async (one: Visitor) => stage.signInWithOidc(one), 'ada (Ada Lovelace)'],
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

/** What has the keyboard, by its accessible name or its text. */
const focused = async (page: Page): Promise<string> =>
  z
    .string()
    .parse(
      await page.evaluate(
        '(({ labels, textContent }) => (labels?.[0]?.textContent ?? textContent).trim())(document.activeElement)',
      ),
    );

describe('going on, and out', () => {
  test('by the keyboard alone: in, to what one can do, and out', async () => {
    const { page, context, complaints } = await stage.visitor();
    await page.goto(`${plane.url}/`);
    expect(await focused(page)).toBe('Name');
    await page.keyboard.type('admin');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Password');
    await page.keyboard.type('a password of my own');
    await page.keyboard.press('Enter');
    await page.getByText('You are signed in as').waitFor();
    expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual([
      'Your clusters',
      'From a terminal',
    ]);
    const seen = [];
    for (const _ of ['link', 'button']) {
      await page.keyboard.press('Tab');
      seen.push(await focused(page));
    }
    expect(seen).toEqual(['sign a device in', 'Sign out']);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Signed out' }).waitFor();
    expect(await look(page, 'signed-out')).toEqual([]);
    expect(await context.cookies()).toEqual([]);
    await page.getByRole('link', { name: 'Sign in again' }).click();
    expect(await page.getByRole('heading').textContent()).toBe('Sign in');
    expect(complaints).toEqual([]);
  });

  test('a refusal says what to do, and leads back', async () => {
    const { page } = await stage.visitor();
    await page.goto(`${plane.url}/v1/auth/providers/oidc/callback?state=forged&code=forged`);
    expect(await page.getByRole('alert').textContent()).toMatch(/^This browser has begun no sign-in; begin again\. /);
    expect(await look(page, 'refused')).toEqual([]);
    await page.getByRole('link', { name: 'Back to the sign-in page' }).click();
    expect(await page.getByRole('heading').textContent()).toBe('Sign in');
    await page.goto(`${plane.url}/no/such/page`);
    expect(await look(page, 'not-found')).toEqual([]);
    await page.goto(`${plane.url}/device`);
    await stage.signInWithOidc({ page });
    expect(await focused(page)).toContain('The code that your device shows');
    expect(await look(page, 'device-code')).toEqual([]);
    await page.keyboard.type('bcdfghjk');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('alert').textContent()).toContain('No device waits with this code.');
    expect(await look(page, 'device-unknown')).toEqual([]);
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
    expect(decision === 'Approve' ? await look(page, 'device') : []).toEqual([]);
    const shown = await page.locator('body').innerText();
    for (const said of [userCode, 'outrider-cli', 'ada', '127.0.0.1']) expect(shown).toContain(said);
    await press(page, decision);
    expect(await page.getByRole('heading').textContent()).toBe(title);
    expect(await look(page, `device-${decision}`)).toEqual([]);
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
    expect(decision === 'Approve' ? await look(page, 'consent') : []).toEqual([]);
    expect(await page.locator('body').innerText()).toMatch(/outrider-cli.*octocat/s);
    expect(one.complaints).toEqual([]);
    await press(page, decision);
    await page.waitForURL('http://127.0.0.1:*/callback**');
    expect(await page.getByRole('heading').textContent()).toBe(title);
    expect(await look(page, `consent-${decision}`)).toEqual([]);
    expect(await login.exited).toMatchObject({ code });
    expect(await cli.run(['whoami'])).toMatchObject({ code: code === 0 ? 0 : 3 });
  });
});
