import { access, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { Command, Scratch, reach } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

const readyLine = z.strictObject({
  url: z.url(),
  ca: z.string(),
  dataDir: z.string(),
  administrator: z.strictObject({ username: z.literal('admin'), password: z.string().nullable() }),
  importCommand: z.string().nullable(),
  kubeconfigs: z.null(),
});

function start(checkout: string, ...arguments_: string[]): Command {
  const command = new Command(checkout, '--port', '0', ...arguments_);
  scratch.defer(async () => {
    command.kill('SIGKILL');
    return command.ended;
  });
  return command;
}

async function ready(command: Command) {
  const line = readyLine.parse(JSON.parse(await command.firstLine()));
  return { ...line, plane: { url: line.url, caPem: await readFile(line.ca, 'utf8') } };
}

async function finish(command: Command, signal: NodeJS.Signals = 'SIGINT'): Promise<number | string> {
  command.kill(signal);
  return command.ended;
}

/** Processes whose command line names a folder. */
async function workerdIn(dataDir: string): Promise<boolean> {
  const pid = await readFile(join(dataDir, 'run', 'workerd.pid'), 'utf8').catch(() => '');
  const commandLine = await readFile(`/proc/${pid.trim()}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(dataDir);
}

describe('npm start', () => {
  test('tells a person the URL, the CA, the first password and how to import a cluster; Ctrl-C ends all of it', async () => {
    const checkout = await scratch.checkout();
    const command = start(checkout);
    await command.firstLine();
    await vi.waitFor(async () => expect(await workerdIn(join(checkout, '.outrider'))).toBe(true));
    expect(await finish(command)).toBe(0);
    const shown = await command.stdout;
    expect(shown).toMatch(/^Outrider is ready: https:\/\/127\.0\.0\.1:\d+\n/);
    expect(shown).toContain(join(checkout, '.outrider', 'ca.crt'));
    expect(shown).toMatch(/administrator {2}admin\n {2}password {7}([a-z2-7]{5}-){3}[a-z2-7]{5}\n/);
    expect(shown).toMatch(/^ {2}kubectl apply -f https:\/\/127\.0\.0\.1:\d+\/import\//m);
    expect(await command.complaints()).toEqual(['outrider: stopping; once more to stop at once']);
    expect(await workerdIn(join(checkout, '.outrider'))).toBe(false);
  });

  test('with --json prints one line and nothing else on stdout', async () => {
    const checkout = await scratch.checkout();
    const command = start(checkout, '--json');
    const { dataDir } = await ready(command);
    expect(dataDir).toBe(join(checkout, '.outrider'));
    expect(await finish(command, 'SIGTERM')).toBe(0);
    expect((await command.stdout).split('\n')).toHaveLength(2);
  });

  test('a second start is ready in under 5 s, with the same password, CA and state', async () => {
    const checkout = await scratch.checkout();
    const first = start(checkout, '--json');
    const before = await ready(first);
    await reach(before.plane, '/object?by=ada', { method: 'POST' });
    await finish(first);
    const begin = performance.now();
    const second = start(checkout, '--json');
    const after = await ready(second);
    expect(performance.now() - begin).toBeLessThan(5000);
    expect(after.administrator).toEqual(before.administrator);
    expect(after.plane.caPem).toBe(before.plane.caPem);
    expect(await (await reach(after.plane, '/object')).json()).toEqual([{ by: 'ada', n: 1 }]);
  });

  test('the first password is forgotten once it was changed, the import command once the cluster connected', async () => {
    const checkout = await scratch.checkout();
    const first = start(checkout, '--json');
    const { plane, dataDir } = await ready(first);
    await reach(plane, '/test/password-changed', { method: 'POST' });
    await reach(plane, '/test/connected', { method: 'POST' });
    await finish(first);
    const second = start(checkout, '--json');
    const { administrator, importCommand } = await ready(second);
    expect(administrator.password).toBeNull();
    expect(importCommand).toBeNull();
    await expect(access(join(dataDir, 'first-password'))).rejects.toThrow('ENOENT');
  });

  test('a supervisor that is killed takes workerd along, and the next one finds everything', async () => {
    const checkout = await scratch.checkout();
    const first = start(checkout, '--json');
    const { plane, dataDir } = await ready(first);
    await reach(plane, '/object?by=ada', { method: 'POST' });
    process.kill(Number(await readFile(join(dataDir, 'run', 'pid'), 'utf8')), 'SIGKILL');
    expect(await first.ended).toBe(137);
    const second = start(checkout, '--json');
    const again = await ready(second);
    expect(await (await reach(again.plane, '/object')).json()).toEqual([{ by: 'ada', n: 1 }]);
  });

  test('a bootstrap that is killed takes all of it along', async () => {
    const checkout = await scratch.checkout();
    const command = start(checkout, '--json');
    const { dataDir } = await ready(command);
    const pid = Number(await readFile(join(dataDir, 'run', 'pid'), 'utf8'));
    command.kill('SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 10_000);
    expect(await workerdIn(dataDir)).toBe(false);
  });

  test('asked to end before it is ready, it says so by its exit code', async () => {
    const checkout = await scratch.checkout();
    const command = start(checkout);
    await vi.waitFor(async () => access(join(checkout, '.outrider', 'run', 'pid')), { timeout: 10_000, interval: 5 });
    expect(await finish(command, 'SIGTERM')).toBe(143);
    expect(await command.stdout).toBe('');
  });

  test('a second one on the same folder is refused, and the first goes on', async () => {
    const checkout = await scratch.checkout();
    const first = start(checkout, '--json');
    const { plane } = await ready(first);
    const second = start(checkout);
    expect(await second.ended).toBe(1);
    expect(await second.complaints()).toEqual([
      expect.stringMatching(/^outrider: another process \(\d+\) is already running on .* --data-dir$/),
    ]);
    expect((await reach(plane, '/env')).status).toBe(200);
  });

  test('a wrong option is one line and exit code 2', async () => {
    const command = start(await scratch.checkout(), '--prot', '1');
    expect(await command.ended).toBe(2);
    expect(await command.complaints()).toEqual([expect.stringMatching(/^outrider: Unknown option '--prot'/)]);
    expect(await command.stdout).toBe('');
  });

  test('without npm and without packages, one line says what to install', async () => {
    const checkout = await scratch.checkout();
    await rm(join(checkout, 'node_modules'));
    await symlink('/nowhere', join(checkout, 'node_modules'));
    vi.stubEnv('PATH', '/nowhere');
    const command = start(checkout);
    vi.unstubAllEnvs();
    expect(await command.ended).toBe(1);
    expect(await command.complaints()).toEqual([
      'outrider: installing npm packages into node_modules …',
      expect.stringMatching(/^outrider: npm is needed .* install Node.js with npm/),
    ]);
  });
});
