import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cli, installCli } from '../../support/processes/cli.ts';
import { run, type Outcome } from '../../support/processes/program.ts';
import { startWorld, type World } from '../../support/worlds/world.ts';

/** A real API server behind the plane, and stock kubectl that asks `outrider token` who is calling. */
let world: World;
let cli: Cli;
let config: string;

const kubectl = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  await run([world.tools.kubectl, ...args], {
    input: '',
    env: { ...cli.env, KUBECONFIG: config, KUBECACHEDIR: join(world.dir, 'kube-cache'), ...env },
  });

beforeAll(async () => {
  world = await startWorld({ agent: 'in-process', cluster: 'api', auditLog: false });
  const bin = await installCli(join(world.dir, 'cli'));
  const home = join(world.dir, 'cli', 'home');
  cli = new Cli(bin, home);
  config = join(home, 'kubeconfig');
  await cli.ok(['login', '--server', world.plane.url, '--ca-file', world.plane.caFile ?? '', '--with-token'], {
    input: world.owner.api.token,
  });
});
afterAll(async () => world.stop());

test('kubectl reaches the cluster as the person who is signed in', async () => {
  expect(await cli.ok(['clusters', 'get', 'e2e'])).toMatch(/^e2e +Connected +v1\./m);
  expect(await cli.ok(['kubeconfig', 'add', 'e2e', '--use', '--kubeconfig', config])).toBe('outrider-e2e\n');
  const { code, stdout, stderr } = await kubectl(['auth', 'whoami', '-o', 'json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout).status.userInfo).toMatchObject({ username: world.owner.id });
  expect(await kubectl(['get', 'namespaces', '-o', 'name'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('namespace/kube-system'),
  });
});

test('many kubectls at once make one token', async () => {
  await rm(join(cli.home, '.cache', 'outrider'), { recursive: true });
  const before = (await cli.json(['tokens', 'list'])).items.length;
  const all = await Promise.all(Array.from({ length: 5 }, () => kubectl(['get', 'namespaces'])));
  expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  expect((await cli.json(['tokens', 'list'])).items).toHaveLength(before + 1);
});

test('what kubectl writes into the file keeps the marks, and rm takes out only ours', async () => {
  await kubectl(['config', 'set-context', 'mine', '--cluster=elsewhere', '--user=me']);
  await kubectl(['config', 'set-context', 'outrider-e2e', '--namespace=kube-system']);
  await kubectl(['config', 'rename-context', 'outrider-e2e', 'renamed']);
  // Found by its mark, whatever it is called now; and the namespace stays.
  expect(await cli.ok(['kubeconfig', 'add', 'e2e', '--kubeconfig', config])).toBe('renamed\n');
  expect((await kubectl(['config', 'view', '--minify', '-o', 'jsonpath={..namespace}'])).stdout).toBe('kube-system');
  expect(await cli.ok(['kubeconfig', 'rm', 'e2e', '--kubeconfig', config])).toBe('renamed\n');
  expect((await kubectl(['config', 'get-contexts', '-o', 'name'])).stdout).toBe('mine\n');
  expect(await readFile(config, 'utf8')).not.toContain('outrider');
});

test('kubectl and we change the file in turn, behind the same lock', async () => {
  await writeFile(`${config}.lock`, '');
  const refused = await kubectl(['config', 'set-context', 'other', '--cluster=x']);
  expect(refused.stderr).toContain('lock');
  const adding = cli.start(['kubeconfig', 'add', 'e2e', '--use', '--kubeconfig', config]);
  adding.child.stdin?.end();
  await rm(`${config}.lock`);
  expect(await adding.exited).toMatchObject({ code: 0, stdout: 'outrider-e2e\n' });
});

test('whoever is not signed in is told so by kubectl, at once and in words', async () => {
  const { code, stderr } = await kubectl(['get', 'pods'], { XDG_CONFIG_HOME: join(world.dir, 'nobody') });
  expect(code).not.toBe(0);
  expect(stderr).toContain(`not signed in at ${world.plane.url}: run \`outrider login --server ${world.plane.url}\``);
});

test('without outrider on PATH kubectl says how to install it', async () => {
  const { code, stderr } = await kubectl(['get', 'pods'], { PATH: '/nonexistent' });
  expect(code).not.toBe(0);
  expect(stderr).toContain('npm install --global outrider');
});

test('a kubeconfig with a token in it works without outrider', async () => {
  const file = join(cli.home, 'static');
  await writeFile(file, await cli.ok(['kubeconfig', 'print', 'e2e', '--static', '--read-only', '--ttl', '10m']));
  const env = { KUBECONFIG: file, PATH: '/nonexistent' };
  expect(await kubectl(['get', 'namespaces'], env)).toMatchObject({ code: 0 });
  expect((await kubectl(['create', 'namespace', 'x'], env)).stderr).toContain('read-only');
});
