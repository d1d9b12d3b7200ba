import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Io } from '#cli/io.ts';
import { signInByBrowser } from '#cli/signin/browser.ts';
import { signInByDevice } from '#cli/signin/device.ts';
import { Cli, installCli } from '../../support/processes/cli.ts';
import { type OAuthServer, startOAuthServer } from '../../support/fakes/oauth-server.ts';
import { Scratch } from '../../support/processes/local.ts';

const built = new Scratch();
const scratch = new Scratch();
let bin: string;
let server: OAuthServer;

beforeAll(async () => void (bin = await installCli(await built.folder())));
afterAll(async () => built.clear());
beforeEach(async () => void (server = await startOAuthServer()));
afterEach(async () => {
  await server.stop();
  await scratch.clear();
});

/** Somebody whose browser follows where it is sent, as one with a session does. */
async function somebody(): Promise<Cli> {
  const home = await scratch.folder();
  await writeFile(join(home, 'ca.pem'), server.caPem);
  const browser = join(home, 'browser');
  const script = `#!/usr/bin/env node
fetch(process.argv[2], { redirect: 'manual' }).then((r) => fetch(r.headers.get('location')));
`;
  await writeFile(browser, script);
  await chmod(browser, 0o755);
  return new Cli(bin, home, {
    OUTRIDER_SERVER: server.url,
    OUTRIDER_CA_FILE: join(home, 'ca.pem'),
    NODE_EXTRA_CA_CERTS: join(home, 'ca.pem'),
    BROWSER: browser,
  });
}

/** What a flow touches, in this process. */
const ioHere = (said: string[] = [], signal = new AbortController().signal): Io => ({
  env: {},
  platform: 'linux',
  stdin: Readable.from([]),
  out: () => {},
  say: (line) => void said.push(line),
  ask: () => {},
  terminal: { in: false, out: false, err: false },
  signal,
});
const place = () => ({ origin: server.url, ca: server.caPem });

describe('the browser', () => {
  test('signs in with PKCE and a loopback redirect', async () => {
    const cli = await somebody();
    const { code, stdout, stderr } = await cli.run(['login']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`Signed in at ${server.url} as ann`);
    expect(await cli.json(['whoami'])).toMatchObject({ user: { username: 'ann' } });
    const exchange = server.seen.find(({ path }) => path === '/v1/auth/cli/token');
    // RFC 7636 §4.1: 43 characters at least.
    expect(exchange?.fields['code_verifier']).toMatch(/^[\w-]{43}$/);
    expect(stderr).not.toContain(exchange?.fields['code_verifier']);
  });

  test('what is refused at the page is exit code 4', async () => {
    server.manner.deny = true;
    expect(await (await somebody()).run(['login'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('access_denied'),
    });
  });

  test('an answer of another issuer is not sent to this one (RFC 9207)', async () => {
    server.manner.redirect = { iss: 'https://other.example' };
    expect(await (await somebody()).run(['login'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another server'),
    });
    expect(server.seen.map(({ path }) => path)).not.toContain('/v1/auth/cli/token');
  });

  test('a forged state, a rebound name and another path neither end a sign-in nor spoil it', async () => {
    const answers: number[] = [];
    const token = await signInByBrowser(ioHere(), place(), (_, url) => {
      const query = new URL(url).searchParams;
      const callback = new URL(query.get('redirect_uri') ?? '');
      const state = query.get('state') ?? '';
      void (async () => {
        for (const [address, method] of [
          [`${callback.href}?code=forged&state=forged`, 'GET'],
          [`${callback.href}?error=access_denied`, 'GET'],
          [`${callback.href}?code=forged&state=${state}`, 'POST'],
          [`${callback.origin}/?code=forged&state=${state}`, 'GET'],
          [`http://localhost:${callback.port}/callback?code=forged&state=${state}`, 'GET'],
        ] as const) {
          answers.push((await fetch(address, { method })).status);
        }
        const { fetch: trusting, Agent } = await import('undici');
        const dispatcher = new Agent({ connect: { ca: server.caPem } });
        const sent = await trusting(url, { dispatcher, redirect: 'manual' });
        const done = await fetch(sent.headers.get('location') ?? '');
        answers.push(done.status);
        await dispatcher.close();
      })();
    });
    expect(token).toBe('the-access-token');
    // Tried with the check of the state taken out: the first forged answer ends the sign-in.
    expect(answers).toEqual([404, 404, 404, 404, 404, 200]);
  });

  test('what a server says of itself cannot move the cursor', async () => {
    server.manner.redirect = { code: 'another' };
    const { code, stderr } = await (await somebody()).run(['login']);
    expect(code).toBe(3);
    expect(stderr).toContain('no such�[2J code');
  });

  test('Ctrl-C while waiting for the browser is 130', async () => {
    const cli = await somebody();
    const running = cli.terminal(['login']);
    server.manner.redirect = { state: 'lost' };
    await running.printed(/Opening the browser/);
    running.type('\u0003');
    expect((await running.exited).code).toBe(130);
  });
});

describe('the exec plugin', () => {
  const info = (interactive: boolean): string =>
    JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', spec: { interactive } });

  test('signs a person in who is at a terminal, and then never again', async () => {
    const cli = await somebody();
    const asking = cli.terminal(['token'], { KUBERNETES_EXEC_INFO: info(true) });
    const { code, stdout } = await asking.exited;
    expect(code).toBe(0);
    expect(stdout).toContain('Opening the browser');
    expect(stdout).toContain('"token":"the-access-token"');
    expect(JSON.parse(await cli.ok(['token'])).status.expirationTimestamp).toBe('2099-01-01T00:00:00.000Z');
  });

  test('opens nothing where kubectl says that nobody is there, or there is no terminal (teleport#22494)', async () => {
    const cli = await somebody();
    const quiet = await cli.terminal(['token'], { KUBERNETES_EXEC_INFO: info(false) }).exited;
    expect(quiet).toMatchObject({ code: 3 });
    expect(await cli.run(['token'], { env: { KUBERNETES_EXEC_INFO: info(true) } })).toMatchObject({
      code: 3,
      stdout: '',
    });
    expect(server.seen).toEqual([]);
  });

  test('of several at once one opens a browser, and the others take what it brought', async () => {
    const cli = await somebody();
    const all = await Promise.all(
      Array.from({ length: 3 }, () => cli.terminal(['token'], { KUBERNETES_EXEC_INFO: info(true) }).exited),
    );
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(server.seen.filter(({ path }) => path === '/v1/auth/cli/authorize')).toHaveLength(1);
  });
});

describe('the device code', () => {
  test('over SSH it is chosen by itself; the code and the client are printed (CVE-2024-58267)', async () => {
    server.manner.polls = ['authorization_pending'];
    const cli = await somebody();
    const { code, stdout, stderr } = await cli.run(['login'], {
      env: { BROWSER: '', SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22' },
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`open ${server.url}/device and enter the code`);
    expect(stderr).toMatch(/^ {4}WDJB-MJHT$/m);
    expect(stderr).toContain('the client outrider-cli');
    expect(stderr).not.toContain('the-device-code');
  });

  /** Waits take no time, and are kept, s. */
  const clock = () => {
    let now = 0;
    const waits: number[] = [];
    return {
      waits,
      now: () => now,
      pause: (ms: number) => {
        waits.push(ms / 1000);
        now += ms;
        return Promise.resolve();
      },
    };
  };

  test('polls no faster than it is told (RFC 8628 §3.5)', async () => {
    server.manner.polls = ['authorization_pending', 'slow_down', 'authorization_pending', '503', 'slow_down'];
    const time = clock();
    expect(await signInByDevice(ioHere(), place(), time)).toBe('the-access-token');
    expect(time.waits).toEqual([1, 1, 6, 6, 12, 17]);
  });

  test.each([
    ['access_denied', 'not-permitted'],
    ['expired_token', 'timed-out'],
    ['invalid_grant', 'error'],
  ])('%s ends it', async (error, exit) => {
    server.manner.polls = [error];
    await expect(signInByDevice(ioHere(), place(), clock())).rejects.toMatchObject({ exit });
  });

  test('it ends when the code has expired, whatever the server says', async () => {
    server.manner.device = { expires_in: 10 };
    server.manner.polls = Array.from({ length: 100 }, () => 'authorization_pending');
    const time = clock();
    await expect(signInByDevice(ioHere(), place(), time)).rejects.toMatchObject({ exit: 'timed-out' });
    expect(time.waits).toHaveLength(9);
  });

  test.each([
    { verification_uri: 'https://evil.example/device' },
    { verification_uri_complete: 'https://evil.example/' },
  ])('a page elsewhere is not shown to anybody: %o', async (device) => {
    server.manner.device = device;
    const said: string[] = [];
    await expect(signInByDevice(ioHere(said), place(), clock())).rejects.toThrow('elsewhere');
    expect(said).toEqual([]);
  });

  test('a plane that has none says what else there is', async () => {
    server.manner.absent = true;
    const { code, stderr } = await (await somebody()).run(['login', '--device']);
    expect(code).toBe(5);
    expect(stderr).toContain('--username');
  });
});
