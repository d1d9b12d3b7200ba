import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Scratch, reach } from '../../support/processes/local.ts';
import { listenTls } from '../../support/sign-in/tls.ts';
import type { Visitor } from '../../support/browser/chromium.ts';
import { Stage } from './stage.ts';

const scratch = new Scratch();
let stage: Stage;
let url: string;
/** Signed in, with scripts of the plane's own pages, which has none yet, allowed. */
let victim: Visitor;
const hostile = { 'the same site': '', 'another site': '' };

beforeAll(async () => {
  stage = await Stage.start(scratch);
  ({ url } = stage.plane);
  const elsewhere = await listenTls(stage.tls, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>');
  });
  scratch.defer(async () => await elsewhere.close());
  hostile['another site'] = elsewhere.url;
  // Ports are no part of a site: the cookie goes with requests from here, whatever its SameSite.
  hostile['the same site'] = elsewhere.url.replace('localhost', '127.0.0.1');
  victim = await stage.visitor({ scripts: true });
  await victim.page.goto(`${url}/login`);
  await stage.signInWithGitHub(victim);
});
afterAll(async () => scratch.clear());

/** Has a page ask the plane with the cookies that there are. @returns what the page gets to see of the answer */
async function read(page: Page, path: string, init: object = {}): Promise<unknown> {
  const options = JSON.stringify({ credentials: 'include', ...init });
  return await page.evaluate(`fetch('${url}${path}', ${options}).then((answer) => answer.text(), ({ name }) => name)`);
}

/** The same without asking whether the page may see the answer: what the plane answered then. */
async function statusOf(page: Page, path: string, init: object): Promise<number> {
  const answered = page.waitForResponse(`${url}${path}`);
  expect(await read(page, path, { mode: 'no-cors', ...init })).toBe('');
  return (await answered).status();
}

/** Has a page open a WebSocket to a cluster. @returns whether it opened, and what the browser says of it */
async function dial(page: Page): Promise<{ end: unknown; error: string }> {
  const { promise: said, resolve } = Promise.withResolvers<string>();
  page.once('websocket', (socket) => socket.on('socketerror', resolve));
  const address = `${url.replace('https', 'wss')}/k8s/clusters/c-00000000000000000000/api/v1/pods?watch=1`;
  const end: unknown = await page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket('${address}');
    socket.onopen = () => resolve('open');
    socket.onclose = ({ code }) => resolve(code);
  })`);
  return { end, error: await said };
}

/** Has a page send a form there, as one that is hidden and sends itself. @returns what the browser then shows */
async function send(
  page: Page,
  path: string,
  fields: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const answered = page.waitForResponse(`${url}${path}`);
  await page.evaluate(`{
    const form = Object.assign(document.createElement('form'), { method: 'post', action: '${url}${path}' });
    for (const [name, value] of Object.entries(${JSON.stringify(fields)})) {
      form.append(Object.assign(document.createElement('input'), { name, value }));
    }
    document.body.append(form);
    form.submit();
  }`);
  await page.waitForURL(`${url}${path}`);
  return { status: (await answered).status(), text: await page.locator('body').innerText() };
}

test('a script of the plane’s own pages has the session: what is refused below is refused for its origin', async () => {
  const page = await victim.context.newPage();
  await page.goto(`${url}/login`);
  expect(await read(page, '/v1/me')).toContain('octocat');
  // Nothing there has this name; who asks is known by then.
  expect((await dial(page)).error).toContain('404');
});

test('a script that gets into a page of the plane does not run, and the browser says so', async () => {
  const { page, complaints } = await stage.visitor();
  await page.goto(`${url}/login`);
  const said = page.waitForEvent('console');
  await page.evaluate(
    `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))`,
  );
  expect(await page.evaluate('window.ran')).toBeUndefined();
  await said;
  expect(complaints).toEqual([expect.stringContaining('Content Security Policy')]);
});

// Tried with the defences taken out, which are both functions of workers/authn/browser/origin.ts, the Origin of WebSockets in workers/proxy/route.ts, SameSite in workers/authn/browser/cookie.ts and
// frame-ancestors in workers/api/pages/html.ts: all of these tests fail then, but for reading and changing from another site. There Chromium itself keeps third-party cookies back.
describe.each([
  ['the same site', 403],
  // SameSite keeps the cookie back: nobody is signed in.
  ['another site', 401],
] as const)('a page of another origin on %s', (where, refused) => {
  const open = async (): Promise<Page> => {
    const page = await victim.context.newPage();
    await page.goto(hostile[where]);
    return page;
  };

  test('neither reads with the session nor changes anything', async () => {
    const page = await open();
    expect(await read(page, '/v1/me')).toBe('TypeError');
    expect(await statusOf(page, '/v1/me', {})).toBe(refused);
    const made = await statusOf(page, '/v1/clusters', {
      method: 'POST',
      body: '{"metadata":{"name":"made-elsewhere"},"spec":{}}',
    });
    expect(made).toBe(refused);
  });

  test('leads nobody to an answer of the API, though their browser sends the cookie along', async () => {
    const page = await open();
    const answered = page.waitForResponse(`${url}/v1/me`);
    await page.evaluate(`location.href = '${url}/v1/me'`);
    const answer = await answered;
    expect([answer.status(), await answer.text()]).toEqual([403, expect.not.stringContaining('octocat')]);
    expect((await answer.request().allHeaders())['cookie']).toContain('__Host-outrider-session=');
  });

  test('opens no WebSocket to a cluster with the session (CVE-2019-13209)', async () => {
    const { end, error } = await dial(await open());
    expect(end).toBe(1006);
    // Whoever asks: a WebSocket's Origin is looked at before who it is.
    expect(error).toContain('403');
  });

  test('signs nobody in as somebody else', async () => {
    const { page, context } = await stage.visitor();
    await page.goto(hostile[where]);
    const typed = { username: 'admin', password: stage.firstPassword, newPassword: 'a password of another' };
    const { status, text } = await send(page, '/login', typed);
    expect([status, text]).toEqual([403, expect.stringContaining('must be sent from the plane’s own page')]);
    expect(await context.cookies(url)).toEqual([]);
  });

  test('approves no device', async () => {
    const started = await reach(stage.plane, '/v1/auth/device/code', {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'outrider-cli', device_name: 'elsewhere' }),
    });
    const { user_code: code } = z.object({ user_code: z.string() }).parse(await started.json());
    const { status, text } = await send(await open(), '/device', { user_code: code, csrf: 'x', decision: 'approve' });
    expect([status, text]).toEqual([403, expect.stringContaining('must be sent from the plane’s own page')]);
  });

  test('shows no page of the plane in a frame', async () => {
    const page = await open();
    for (const path of ['/login', '/device']) {
      // Its first, empty document is no navigation to the page.
      const shown = page.waitForEvent('framenavigated', (frame) => !['', 'about:blank'].includes(frame.url()));
      await page.evaluate(
        `document.body.replaceChildren(Object.assign(document.createElement('iframe'), { src: '${url}${path}' }))`,
      );
      expect((await shown).url()).toBe('chrome-error://chromewebdata/');
    }
  });
});
