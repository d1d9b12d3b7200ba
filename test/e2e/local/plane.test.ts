import { once } from 'node:events';
import { access, cp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startPlane } from '#scripts/local/plane.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { makeAuthority, makeServerCertificate } from '#scripts/local/tls/issue.ts';
import { FIXTURE, Scratch, reach } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

const read = async (plane: Plane, path: string, init = {}): Promise<unknown> => (await reach(plane, path, init)).json();
const visit = async (plane: Plane, by: string): Promise<unknown> => read(plane, `/object?by=${by}`, { method: 'POST' });

describe('a plane on one machine', () => {
  test('serves the Worker over HTTPS, under its own CA, with its database, objects and secrets', async () => {
    const plane = await scratch.plane({ agentImage: 'registry.example/agent:1' });
    expect(await read(plane, '/env')).toEqual({
      GREETING: 'quote " backslash \\ line\nümlaut',
      PUBLIC_URL: plane.url,
      PUBLIC_CA: plane.caPem,
      AGENT_IMAGE: 'registry.example/agent:1',
      kid: plane.signingKey.kid,
      idKey: 43,
    });
    expect(await read(plane, '/migrations')).toEqual([{ name: '0001_first.sql' }, { name: '0002_second.sql' }]);
    expect(await visit(plane, 'ada')).toEqual([{ by: 'ada', n: 1 }]);
    expect(await (await reach(plane, '/scrypt')).text()).toMatch(/^[0-9a-f]{64}$/);
    await expect(
      reach({ url: plane.url, caPem: (await makeAuthority('another')).certificate }, '/env'),
    ).rejects.toThrow('fetch failed');
  });

  test('headers that only the edge may set do not arrive from a client', async () => {
    const plane = await scratch.plane();
    const headers = { 'CF-Connecting-IP': '192.0.2.1', 'cf-ray': 'x', 'True-Client-IP': '192.0.2.1', 'x-mine': 'kept' };
    const arrived = await read(plane, '/headers', { headers });
    expect(arrived).toMatchObject({ 'x-mine': 'kept' });
    expect(Object.keys(arrived as object).filter((name) => /^cf-|^true-/.test(name))).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('whoever is connected is asked whether it is still there', async () => {
    const plane = await scratch.plane();
    const client = connect({ host: plane.host, port: plane.port, ca: plane.caPem });
    await once(client, 'secureConnect');
    // proc_pid_net(5): the accepted connection's timer, of which 02 is keep-alive once nothing is to be acknowledged any more, and when it is due in hundredths of a second.
    const port = plane.port.toString(16).toUpperCase().padStart(4, '0');
    const accepted = new RegExp(`:${port} \\S+:\\S+ 01 \\S+ 02:(\\S+)`);
    const due = await vi.waitFor(async () => {
      const [, hundredths] = accepted.exec(await readFile('/proc/net/tcp', 'utf8')) ?? [];
      expect(hundredths).toBeDefined();
      return Number.parseInt(hundredths ?? '', 16) / 100;
    }, 5000);
    client.destroy();
    expect(due).toBeLessThanOrEqual(20);
  });

  test('what was acknowledged survives SIGKILL of workerd; so do alarms and hibernating sockets of the next run', async () => {
    const plane = await scratch.plane();
    await visit(plane, 'ada');
    await reach(plane, '/object?by=alarm');
    await plane.kill();
    expect(plane.pid).toBeUndefined();
    await plane.restart();
    await vi.waitFor(async () => {
      expect(await read(plane, '/object')).toEqual([
        { by: 'ada', n: 1 },
        // At least once: one that had run, unrecorded, when the process was killed runs again.
        { by: 'itself', n: expect.any(Number) },
      ]);
    }, 10_000);
    expect(await read(plane, '/migrations')).toHaveLength(2);
    const socket = new WebSocket(plane.url.replace('https', 'wss') + '/object', { ca: plane.caPem });
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('echo hello');
    socket.terminate();
  });

  test('workerd that ends by itself is started again, on the same port', async () => {
    const lines: string[] = [];
    const plane = await scratch.plane({ say: (line) => lines.push(line) });
    const first = plane.pid;
    process.kill(first ?? 0, 'SIGKILL');
    await vi.waitFor(async () => expect((await reach(plane, '/env')).status).toBe(200), 10_000);
    expect(plane.pid).not.toBe(first);
    expect(lines).toEqual(['error: workerd ended by itself; starting it again in 250 ms']);
  });

  test("the Worker's warnings reach the log, as JSON, and the person", async () => {
    const lines: string[] = [];
    const plane = await scratch.plane({ say: (line) => lines.push(line) });
    await reach(plane, '/warn');
    await vi.waitFor(() => expect(lines).toContain('warn: a warning'));
    const log = await readFile(join(plane.dataDir.logs, 'workerd.log'), 'utf8');
    expect(
      log
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toContainEqual(expect.objectContaining({ level: 'warn', message: 'a warning' }));
  });

  test('a socket that a client holds open delays the end by 3 s, and not at all when told to end at once', async () => {
    for (const [atOnce, least, most] of [
      [false, 2500, 4500],
      [true, 0, 1000],
    ] as const) {
      const plane = await scratch.plane();
      const socket = new WebSocket(plane.url.replace('https', 'wss') + '/object', { ca: plane.caPem });
      await once(socket, 'open');
      const closed = once(socket, 'close');
      const begin = performance.now();
      await plane.stop(atOnce);
      const took = performance.now() - begin;
      await closed;
      expect(took).toBeGreaterThanOrEqual(least);
      expect(took).toBeLessThan(most);
    }
  });

  test('a certificate that was given is served, and its own root handed on', async () => {
    const folder = await scratch.folder();
    const authority = await makeAuthority('A company');
    const server = await makeServerCertificate(authority, ['plane.example', '127.0.0.1']);
    const certificate = { certificateFile: join(folder, 'chain.pem'), keyFile: join(folder, 'key.pem') };
    await writeFile(certificate.certificateFile, server.certificate + authority.certificate);
    await writeFile(certificate.keyFile, server.key);
    const plane = await scratch.plane({ certificate, url: 'https://plane.example' });
    expect(plane.caPem).toBe(authority.certificate);
    const answer = await reach({ url: `https://127.0.0.1:${plane.port}`, caPem: plane.caPem }, '/env');
    expect(await answer.json()).toMatchObject({
      PUBLIC_URL: 'https://plane.example',
      PUBLIC_CA: authority.certificate,
    });
  });
});

describe('migrations', () => {
  const projectWith = async (name: string, sql: string): Promise<string> => {
    const project = await scratch.folder();
    await cp(FIXTURE, project, { recursive: true });
    await writeFile(join(project, 'migrations', name), sql);
    return project;
  };

  test('a new one is applied at the next start, to the data that is there', async () => {
    const dataDir = await scratch.folder();
    const first = await scratch.plane({ dataDir });
    await reach(first, '/v1/clusters', { method: 'POST', body: '{"metadata":{"name":"kept"},"spec":{}}' });
    await first.stop();
    const project = await projectWith('0003_third.sql', "UPDATE clusters SET connected_at = 'now', note = name;");
    const second = await scratch.plane({ dataDir, project });
    expect(await read(second, '/migrations')).toHaveLength(3);
    const [, claims] = (await second.mint('u-abcdefghij')).split('.');
    const headers = { authorization: `Bearer .${claims}.` };
    expect(await read(second, '/v1/clusters', { headers })).toMatchObject({
      items: [{ status: { connectedAt: 'now' } }],
    });
  });

  test('one that fails stops the start, leaves nothing behind, and is tried again once mended', async () => {
    const dataDir = await scratch.folder();
    const project = await projectWith('0003_third.sql', 'CREATE TABLE half (x); INSERT INTO missing VALUES (1);');
    await expect(startPlane({ dataDir, project })).rejects.toThrow(
      /^migration 0003_third.sql failed, .*no such table: missing/,
    );
    await writeFile(join(project, 'migrations', '0003_third.sql'), 'CREATE TABLE half (x);');
    const plane = await scratch.plane({ dataDir, project });
    expect(await read(plane, '/migrations')).toHaveLength(3);
  });
});

describe('a plane that cannot start says why in one line', () => {
  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    scratch.defer(async () => other.close());
    const address = other.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(scratch.plane({ port })).rejects.toThrow(
      `port ${port} on 127.0.0.1 is in use: stop what uses it, or choose another with --port`,
    );
  });

  test('a folder in use; and it is free again after a start that failed', async () => {
    const dataDir = await scratch.folder();
    await expect(startPlane({ dataDir, project: dataDir })).rejects.toThrow(/^cannot use .*wrangler.toml/);
    const plane = await scratch.plane({ dataDir });
    await expect(startPlane({ dataDir, project: FIXTURE })).rejects.toThrow(
      `another process (${process.pid}) is already running`,
    );
    expect((await reach(plane, '/env')).status).toBe(200);
  });

  test('a Worker that does not run', async () => {
    const project = await scratch.folder();
    await cp(FIXTURE, project, { recursive: true });
    await writeFile(join(project, 'worker.js'), 'export class Cluster {} throw new Error("broken at start");');
    await expect(scratch.plane({ project })).rejects.toThrow(/^workerd did not start: .*broken at start/);
  });

  test('a Worker that does not build', async () => {
    const project = await scratch.folder();
    await cp(FIXTURE, project, { recursive: true });
    await writeFile(join(project, 'worker.js'), 'import "./missing.js";');
    await expect(scratch.plane({ project })).rejects.toThrow(/^cannot bundle .*missing.js/s);
    await expect(access(join(project, 'dist'))).rejects.toThrow('ENOENT');
  });

  test('a binding that one machine does not supply', async () => {
    const project = await scratch.folder();
    await cp(FIXTURE, project, { recursive: true });
    await writeFile(join(project, 'wrangler.toml'), '[[r2_buckets]]\nbinding = "B"\n', { flag: 'a' });
    await expect(scratch.plane({ project })).rejects.toThrow(/^cannot use .*r2_buckets/s);
  });
});
