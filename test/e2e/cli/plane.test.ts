import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { setUpAdministrator } from '#scripts/local/setup.ts';
import { Cli, installCli } from '../../support/processes/cli.ts';
import { Scratch } from '../../support/processes/local.ts';

const scratch = new Scratch();
const CHOSEN = 'a password of my own';
let plane: Plane;
let bin: string;
/** The administrator, signed in. */
let admin: Cli;
let firstSignIn: Awaited<ReturnType<Cli['run']>>[];

/** Somebody who knows where the plane is, and no more. */
const newcomer = async (env: Record<string, string> = {}): Promise<Cli> =>
  new Cli(bin, await scratch.folder(), {
    OUTRIDER_SERVER: plane.url,
    OUTRIDER_CA_FILE: plane.caFile ?? '',
    ...env,
  });

beforeAll(async () => {
  plane = await scratch.plane({ project: PROJECT });
  bin = await installCli(await scratch.folder());
  const { password } = await setUpAdministrator(plane);
  admin = new Cli(bin, await scratch.folder());
  const login = ['login', '--server', plane.url, '--ca-file', plane.caFile ?? '', '--username', 'admin'];
  firstSignIn = [
    await admin.run(login, { input: `${password}\n` }),
    await admin.run(login, { input: `${password}\n${CHOSEN}\n` }),
  ];
});
afterAll(async () => scratch.clear());

describe('login', () => {
  test('an unknown certificate is never trusted by itself: the CA has to be brought (CVE-2025-67601)', async () => {
    const cli = new Cli(bin, await scratch.folder());
    const { code, stderr, stdout } = await cli.run(['login', '--server', plane.url, '--username', 'admin'], {
      input: 'secret-password\n',
    });
    expect({ code, stdout }).toEqual({ code: 7, stdout: '' });
    expect(stderr).toMatch(/^outrider: .* is not trusted: .*--ca-file.*\n$/);
    await expect(stat(cli.configFile)).rejects.toThrow('ENOENT');
  });

  test('a one-time password is replaced, or nobody is signed in', async () => {
    const [without, withNew] = firstSignIn;
    expect(without).toMatchObject({ code: 3, stdout: '' });
    expect(without?.stderr).toContain('second line of standard input');
    expect(withNew).toMatchObject({ code: 0, stdout: '' });
    expect(withNew?.stderr).toMatch(/Signed in at .* as admin; this ends in 15h/);
  });

  test('what is kept is readable for its owner alone, and the CA is kept with it', async () => {
    expect((await stat(admin.configFile)).mode & 0o777).toBe(0o600);
    expect(await admin.json(['whoami'])).toMatchObject({ user: { username: 'admin' }, server: plane.url });
    expect(await admin.ok(['servers', 'list', '-o', 'wide'])).toMatch(/\n\* +https:\S+ +admin +15h +own\n/);
  });

  test('a wrong password is exit code 3, and is nowhere in what is printed', async () => {
    const cli = await newcomer();
    const { code, stderr } = await cli.run(['login', '--username', 'admin'], { input: 'not the password\n' });
    expect(code).toBe(3);
    expect(stderr).toBe('outrider: wrong name or password: the name or the password is wrong\n');
  });

  test('in a terminal the password is asked for and not shown', async () => {
    const cli = await newcomer();
    const terminal = cli.terminal(['login', '--username', 'admin']);
    await terminal.printed(/Password of admin at \S+: /);
    terminal.type(`${CHOSEN}\r`);
    const { code, stdout } = await terminal.exited;
    expect(code).toBe(0);
    expect(stdout).toContain('Signed in at');
    expect(stdout).not.toContain(CHOSEN);
  });

  test('Ctrl-C at the password ends it with 130, and the terminal echoes again', async () => {
    const terminal = (await newcomer()).terminal(['login', '--username', 'admin']);
    await terminal.printed(/Password of admin/);
    terminal.type('\u0003');
    expect(await terminal.exited).toMatchObject({ code: 130 });
  });

  test('--with-token takes a token on standard input, and refuses one that is not good', async () => {
    const token = (await admin.ok(['tokens', 'create', '--ttl', '1h'])).trim();
    const cli = await newcomer();
    await cli.ok(['login', '--with-token'], { input: `${token}\n` });
    expect(await cli.json(['whoami'])).toMatchObject({ user: { username: 'admin' } });

    const other = await newcomer();
    expect(await other.run(['login', '--with-token'], { input: `${token}x` })).toMatchObject({ code: 3 });
    expect(await other.run(['login', '--with-token'], { input: 'no token\n' })).toMatchObject({ code: 2 });
    expect(await other.run(['whoami'])).toMatchObject({ code: 3 });
  });

  test('OUTRIDER_TOKEN is enough, and nothing is kept of it', async () => {
    const token = (await admin.ok(['tokens', 'create', '--ttl', '1h', '--read-only'])).trim();
    const cli = await newcomer({ OUTRIDER_TOKEN: token });
    expect(await cli.json(['whoami'])).toMatchObject({ token: { readOnly: true } });
    expect(await cli.run(['clusters', 'import', 'x'])).toMatchObject({ code: 4, stdout: '' });
    await expect(stat(cli.configFile)).rejects.toThrow('ENOENT');
  });
});

describe('what people do with a plane', () => {
  test('clusters: import, list, get, rm', async () => {
    const imported = await admin.run(['clusters', 'import', 'prod-eu']);
    expect(imported.code).toBe(0);
    expect(imported.stdout).toMatch(/kubectl .*apply/s);
    // Begun before and never connected: the same cluster, a new command.
    const resumed = await admin.json(['clusters', 'import', 'prod-eu']);
    expect(resumed.cluster.metadata.name).toBe('prod-eu');
    expect(await admin.ok(['clusters', 'list'])).toMatch(
      /^NAME +STATUS +VERSION +AGE\nprod-eu +Never connected +- +\d+s\n$/,
    );
    expect(await admin.ok(['clusters', 'list', '-o', 'name'])).toBe('cluster/prod-eu\n');
    expect((await admin.json(['clusters', 'list'])).items).toHaveLength(1);
    const { id } = resumed.cluster;
    expect(await admin.ok(['clusters', 'get', id, '-o', 'yaml'])).toContain(`id: ${id}\n`);
    expect(await admin.run(['clusters', 'get', 'nowhere'])).toMatchObject({ code: 5 });
    expect(await admin.ok(['__complete', '--', 'clusters', 'get', ''])).toBe('prod-eu\n');

    expect(await admin.run(['clusters', 'rm', 'prod-eu'])).toMatchObject({ code: 2 });
    expect(await admin.run(['clusters', 'rm', 'prod-eu', 'prod-eu', '--yes'])).toMatchObject({ code: 0 });
    expect(await admin.run(['clusters', 'list'])).toMatchObject({
      stdout: 'NAME   STATUS   VERSION   AGE\n',
      stderr: expect.stringContaining('No clusters'),
    });
  });

  test('import --wait ends with 9 when nothing comes, and Ctrl-C says how to go on', async () => {
    const { code, stderr } = await admin.run(['clusters', 'import', 'slow', '--wait', '--timeout', '1s']);
    expect(code).toBe(9);
    expect(stderr).toContain('slow did not connect within 1s');
    const waiting = admin.terminal(['clusters', 'import', 'slow', '--wait']);
    await waiting.printed(/Waiting for the agent of slow/);
    waiting.type('\u0003');
    const ended = await waiting.exited;
    expect(ended.code).toBe(130);
    expect(ended.stdout).toContain('outrider clusters get slow');
    await admin.ok(['clusters', 'rm', 'slow', '-y']);
  });
});

describe('how it behaves', () => {
  test('a plane that is not there is exit code 6', async () => {
    const cli = await newcomer({ OUTRIDER_SERVER: 'https://127.0.0.1:9', OUTRIDER_TOKEN: 'x' });
    const { code, stderr } = await cli.run(['whoami']);
    expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 6, lines: 2 });
  });

  test('a proxy is gone through, and NO_PROXY is excepted', async () => {
    const cli = await newcomer({ OUTRIDER_TOKEN: 'x', HTTPS_PROXY: 'http://user:secret@127.0.0.1:9' });
    const { code, stderr } = await cli.run(['whoami']);
    expect(code).toBe(6);
    expect(stderr).toContain('through the proxy 127.0.0.1:9 (HTTPS_PROXY): nothing listens there');
    expect(await cli.run(['whoami'], { env: { NO_PROXY: '127.0.0.0/8' } })).toMatchObject({ code: 3 });
  });

  test.each([
    [407, 'it wants a name and a password'],
    [403, 'it answered CONNECT with status 403'],
  ])('a proxy that answers %i is not taken for the plane', async (status, text) => {
    const proxy = createServer().on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`));
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const cli = await newcomer({ OUTRIDER_TOKEN: 'x', HTTPS_PROXY: `http://127.0.0.1:${port}` });
    // Tried without the look at its answer: it says that the plane refused, and 403 is exit code 4.
    expect(await cli.run(['whoami'])).toMatchObject({ code: 6, stderr: expect.stringContaining(text) });
    proxy.close();
  });

  test('whoever brings a token that is not good is not told to sign in', async () => {
    const { code, stderr } = await (await newcomer({ OUTRIDER_TOKEN: 'x' })).run(['whoami']);
    expect(code).toBe(3);
    expect(stderr).toContain(`OUTRIDER_TOKEN is not good at ${plane.url}, or has ended`);
    expect(stderr).not.toContain('outrider login');
  });

  test('a sign-in that OUTRIDER_TOKEN hides says so', async () => {
    const cli = await newcomer({ OUTRIDER_TOKEN: 'x' });
    const { code, stderr } = await cli.run(['login', '--username', 'admin'], { input: CHOSEN });
    expect(code).toBe(0);
    expect(stderr).toContain('OUTRIDER_TOKEN is set, and goes before it: unset it');
  });

  test('a sign-in that has ended says so, and asks no plane', async () => {
    const cli = await newcomer();
    await cli.ok(['login', '--username', 'admin'], { input: CHOSEN });
    const kept = await readFile(cli.configFile, 'utf8');
    await writeFile(cli.configFile, kept.replace(/"expiresAt": "[^"]+"/, '"expiresAt": "2020-01-01T00:00:00.000Z"'));
    expect(await cli.run(['clusters', 'list'])).toEqual({
      code: 3,
      stdout: '',
      stderr: `outrider: your sign-in has ended at ${plane.url}: run \`outrider login --server ${plane.url}\`\n`,
    });
  });

  test('a mistyped command and a reader that goes away are no stack traces', async () => {
    expect(await admin.run(['cluster', 'lsit'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "outrider: unknown command 'lsit' (Did you mean list?)\n",
    });
    const listing = admin.start(['--help']);
    listing.child.stdout?.destroy();
    expect(await listing.exited).toMatchObject({ code: 0, stderr: '' });
  });

  test('colours only in a terminal, and not with NO_COLOR', async () => {
    await admin.ok(['clusters', 'import', 'colour']);
    const escape = '\u001b[';
    expect(await admin.ok(['clusters', 'list'])).not.toContain(escape);
    expect((await admin.terminal(['clusters', 'list']).exited).stdout).toContain(escape);
    const plain = new Cli(bin, admin.home, { NO_COLOR: '1' });
    expect((await plain.terminal(['clusters', 'list']).exited).stdout).not.toContain(escape);
    await admin.ok(['clusters', 'rm', 'colour', '-y']);
  });
});

describe('kubeconfig', () => {
  const OWN = `# mine
apiVersion: v1
kind: Config
clusters:
  # the old one
  - cluster: {server: "https://old.example"}
    name: old
contexts:
  - context:
      cluster: old
      user: 'old'   # quoted
    name: old
current-context:   old
users:
  - name: old
    user: {}

preferences: {}
`;

  test('add and rm leave every byte of what was there', async () => {
    await admin.ok(['clusters', 'import', 'one']);
    await admin.ok(['clusters', 'import', 'two']);
    const file = join(admin.home, '.kube', 'config');
    await mkdir(join(admin.home, '.kube'));
    await writeFile(file, OWN, { mode: 0o640 });
    expect(await admin.ok(['kubeconfig', 'add', '--all'])).toBe('outrider-one\noutrider-two\n');
    const added = await readFile(file, 'utf8');
    expect(OWN.split('\n').filter((line) => !added.split('\n').includes(line))).toEqual([]);
    expect(added).toContain('current-context:   old\n');
    expect(await readFile(`${file}.outrider-backup`, 'utf8')).toBe(OWN);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    // The same again changes nothing.
    await admin.ok(['kubeconfig', 'add', '--all']);
    expect(await readFile(file, 'utf8')).toBe(added);
    expect(await admin.ok(['__complete', '--', 'kubeconfig', 'rm', ''])).toBe('outrider-one\noutrider-two\n');
    expect(await admin.ok(['kubeconfig', 'rm', 'one'])).toBe('outrider-one\n');
    expect(await admin.ok(['kubeconfig', 'rm', '--all'])).toBe('outrider-two\n');
    expect(await readFile(file, 'utf8')).toBe(OWN);
    expect(await admin.run(['kubeconfig', 'rm', 'old'])).toMatchObject({ code: 5 });
  });

  test('many at once into one file lose nothing', async () => {
    const file = join(admin.home, 'crowded');
    const names = ['one', 'two'];
    await Promise.all(
      names
        .flatMap((name) => ['a', 'b'].map((prefix) => [name, `${prefix}-{cluster}`] as const))
        .map(async ([name, template]) =>
          admin.ok(['kubeconfig', 'add', name, '--kubeconfig', file, '--set-context-name', template]),
        ),
    );
    const contexts = (await readFile(file, 'utf8')).match(/name: [ab]-(one|two)/g)?.map((line) => line.slice(-3));
    expect(contexts?.toSorted()).toEqual(names);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
});

describe('token', () => {
  const lock = { env: { KUBERNETES_EXEC_INFO: '' } };

  test('many at once make one, for the one cluster, and the next takes it from the cache', async () => {
    const { items } = await admin.json(['clusters', 'list']);
    const cluster = items[0].id;
    const ask = async (): Promise<any> => JSON.parse(await admin.ok(['token', '--cluster', cluster], lock));
    const all = await Promise.all(Array.from({ length: 6 }, ask));
    expect(new Set(all.map(({ status }) => status.token)).size).toBe(1);
    expect(all[0]).toMatchObject({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' });
    const made = (await admin.json(['tokens', 'list'])).items.filter((one: any) => one.spec.cluster === cluster);
    expect(made).toHaveLength(1);
    const cache = join(admin.home, '.cache', 'outrider');
    const cached = (await readdir(cache, { recursive: true })).filter((name) => name.endsWith('.json'));
    for (const name of cached) expect((await stat(join(cache, name))).mode & 0o777).toBe(0o600);
    expect(cached).toContainEqual(expect.stringMatching(/^tokens\/[0-9a-f]+\/[0-9a-f]+\.json$/));
    expect((await stat(cache)).mode & 0o777).toBe(0o700);

    const scoped = await newcomer({ OUTRIDER_TOKEN: all[0].status.token });
    expect(await scoped.json(['whoami'])).toMatchObject({ token: { cluster } });
    await plane.kill();
    expect(await ask()).toEqual(all[0]);
    await plane.restart();

    // Taken back, it is not given out again.
    await admin.ok(['tokens', 'revoke', made[0].id]);
    expect((await ask()).status.token).not.toBe(all[0].status.token);
  });

  test('nobody is asked to sign in where there is no terminal', async () => {
    const { code, stdout, stderr } = await (await newcomer({ BROWSER: '/bin/false' })).run(['token']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toBe(`outrider: not signed in at ${plane.url}: run \`outrider login --server ${plane.url}\`\n`);
  });

  test('logout takes back what was made, here and at the plane', async () => {
    const cli = await newcomer();
    await cli.ok(['login', '--username', 'admin'], { input: CHOSEN });
    const cluster = (await cli.json(['clusters', 'list'])).items[0].id;
    const own = JSON.parse(await cli.ok(['token'])).status.token;
    const made = JSON.parse(await cli.ok(['token', '--cluster', cluster])).status.token;
    await cli.ok(['logout']);
    for (const token of [own, made]) {
      expect(await (await newcomer({ OUTRIDER_TOKEN: token })).run(['whoami'])).toMatchObject({ code: 3 });
    }
    expect(await cli.run(['token', '--cluster', cluster])).toMatchObject({ code: 3 });
  });
});
