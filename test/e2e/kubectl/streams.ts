import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { IDLE, namespace, shellPod, WEB_SERVER } from '../../support/objects.ts';
import type { World } from '../../support/worlds/world.ts';

const COPY_BYTES = 500_000_000;
const REQUESTS = 1_000;
/** As a browser opens them. */
const PARALLEL = 6;

/** Whatever takes a WebSocket: exec, attach, port-forward, cp. */
export function streams(world: () => World): void {
  const space = 'streams';
  const through = () => world().owner.through;
  const inSpace = (...args: string[]): string[] => ['-n', space, ...args];

  beforeAll(async () => {
    const { admin } = world();
    await admin.apply(namespace(space));
    const echo = 'while read line; do echo "got $line"; done';
    const pods = [
      shellPod('shell', IDLE),
      shellPod('web', WEB_SERVER),
      shellPod('echo', echo, { container: { stdin: true } }),
    ];
    await admin.ok(inSpace('apply', '-f', '-'), {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }),
    });
    await admin.ok(inSpace('wait', 'pod', '--all', '--for=condition=Ready', '--timeout=90s'));
  });

  test('exec carries standard input, both outputs and the exit code', async () => {
    const args = inSpace('exec', '-i', 'shell', '--', 'sh', '-c', 'cat; echo trouble >&2; exit 7');
    const result = await through().kubectl(args, { input: 'through' });
    expect(result).toEqual({
      stdout: 'through',
      stderr: 'trouble\ncommand terminated with exit code 7\n',
      code: 7,
    });
  });

  test('exec -it is a terminal, and a resize arrives in it', async () => {
    const terminal = through().terminal(inSpace('exec', '-it', 'shell', '--', 'sh'), { rows: 30, columns: 90 });
    try {
      terminal.type('stty size\n');
      await terminal.printed(/\r\n30 90\r\n/);
      await terminal.resize({ rows: 51, columns: 133 });
      // The size travels on a stream of its own, past what is typed.
      const ask = (): string => {
        terminal.type('stty size\n');
        return terminal.stdout;
      };
      await expect.poll(ask, { timeout: 20_000, interval: 250 }).toContain('\r\n51 133\r\n');
      terminal.type('exit 3\n');
      expect((await terminal.exited).code).toBe(3);
    } finally {
      terminal.child.kill();
    }
  });

  test('attach reaches the standard input and output of a container that runs', async () => {
    const attached = through().start(inSpace('attach', '-i', 'echo', '--quiet'));
    try {
      attached.type('one\n');
      await attached.printed(/got one\n/);
      attached.type('two\n');
      await attached.printed(/got two\n/);
    } finally {
      await attached.end('SIGKILL');
    }
  });

  test('port-forward carries 1,000 requests over one forward', async () => {
    const forward = through().start(inSpace('port-forward', 'pod/web', ':8080'));
    // Without keep-alive: each request is a stream of the forward.
    const agent = new Agent({ keepAlive: false, maxSockets: PARALLEL });
    try {
      const [, port] = await forward.printed(/127\.0\.0\.1:(\d+) ->/);
      const url = `http://127.0.0.1:${port}/index.html`;
      const answers = await Promise.all(Array.from({ length: REQUESTS }, () => httpGet(url, agent)));
      expect(new Set(answers)).toEqual(new Set(['200 page\n']));
      expect(forward.stderr).toBe('');
    } finally {
      agent.destroy();
      await forward.end('SIGINT');
    }
  });

  test('client-go forwards 1,000 requests too, over WebSockets alone', async () => {
    const flags = { namespace: space, pod: 'web', port: 8080, name: 'index.html', count: REQUESTS, parallel: PARALLEL };
    const [result] = await through().clientGo('portforward', flags);
    expect(result).toMatchObject({ requests: REQUESTS, failed: 0, bytes: REQUESTS * 5, errors: [], complaints: '' });
  });

  test('client-go executes over WebSockets alone: streams apart, exit code, resize', async () => {
    const script = 'echo out; echo err >&2; exit 4';
    const plain = await through().clientGo('exec', { namespace: space, pod: 'shell' }, ['sh', '-c', script]);
    expect(plain).toContainEqual({ stream: 'stdout', data: 'out\n' });
    expect(plain).toContainEqual({ stream: 'stderr', data: 'err\n' });
    expect(plain.at(-1)).toEqual({ code: 4 });

    // The program sends its next size when a line has come.
    const until = (size: string): string =>
      `until [ "$(stty size 2>&1)" = "${size}" ]; do usleep 50000; done; echo ${size}`;
    const flags = { namespace: space, pod: 'shell', tty: true, size: ['40x100', '50x120'] } as const;
    const sized = await through().clientGo('exec', flags, ['sh', '-c', `${until('40 100')}; ${until('50 120')}`]);
    expect(sized).toEqual([
      { stream: 'stdout', data: '40 100\r\n' },
      { stream: 'stdout', data: '50 120\r\n' },
      { code: 0 },
    ]);
  });

  test('cp brings 500 MB in and out unharmed', async () => {
    const { dir } = world();
    const [sent, back] = [join(dir, 'sent.bin'), join(dir, 'back.bin')];
    try {
      await pipeline(createReadStream('/dev/urandom', { end: COPY_BYTES - 1 }), createWriteStream(sent));
      const started = performance.now();
      await through().ok(inSpace('cp', sent, 'shell:/tmp/copy.bin'));
      const inside = performance.now();
      const remote = await world().admin.ok(inSpace('exec', 'shell', '--', 'sha256sum', '/tmp/copy.bin'));
      const digest = await sha256(sent);
      expect(remote).toBe(`${digest}  /tmp/copy.bin\n`);
      const out = performance.now();
      await through().ok(inSpace('cp', 'shell:/tmp/copy.bin', back));
      const ended = performance.now();
      expect(await sha256(back)).toBe(digest);
      const rate = (ms: number): string => `${(COPY_BYTES / 1000 / ms).toFixed(0)} MB/s`;
      console.log(`cp of 500 MB: in ${rate(inside - started)}, out ${rate(ended - out)}`);
    } finally {
      await Promise.all([sent, back].map((file) => rm(file, { force: true })));
      await world().admin.ok(inSpace('exec', 'shell', '--', 'rm', '-f', '/tmp/copy.bin'));
    }
  }, 240_000);

  test('a kubectl that speaks SPDY alone is told which version it needs', async () => {
    const old = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };
    const exec = await through().kubectl(inSpace('exec', 'shell', '--', 'true'), { env: old });
    expect(exec).toMatchObject({ code: 1, stdout: '' });
    expect(exec.stderr).toMatch(/kubectl 1\.3\d/);
    const forward = await through().kubectl(inSpace('port-forward', 'pod/web', ':8080'), { env: old });
    expect(forward.code).toBe(1);
    expect(forward.stderr).toMatch(/kubectl 1\.3\d/);
    // What would be refused anyway is refused for its own reason.
    const missing = await through().kubectl(inSpace('exec', 'nosuch', '--', 'true'), { env: old });
    expect(missing.stderr).toBe('Error from server (NotFound): pods "nosuch" not found\n');
  });

  test('a browser brings its token as a subprotocol, which the API server does not see', async () => {
    const { plane, clusterId, owner } = world();
    const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(owner.token.text).toString('base64url')}`;
    const path = `/k8s/clusters/${clusterId}/api/v1/namespaces/${space}/pods/shell/exec`;
    const query = 'command=echo&command=hello&stdout=true';
    const url = `${plane.url.replace('https:', 'wss:')}${path}?${query}`;
    const socket = new WebSocket(url, ['v5.channel.k8s.io', bearer], { ca: plane.caPem });
    const messages: string[] = [];
    socket.on('message', (data: Buffer) => messages.push(data.toString()));
    await once(socket, 'open');
    expect(socket.protocol).toBe('v5.channel.k8s.io');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1000);
    // Channel 1 is standard output, 3 the outcome.
    expect(messages).toContain('\u0001hello\n');
    const outcome = messages.find((message) => message.startsWith('\u0003'))?.slice(1) ?? '';
    expect(JSON.parse(outcome)).toMatchObject({ status: 'Success' });
  });

  test('an exec whose command does not exist fails as it does directly', async () => {
    const args = inSpace('exec', 'shell', '--', `no-such-${randomUUID().slice(0, 4)}`);
    const [one, other] = [await through().kubectl(args), await world().owner.direct.kubectl(args)];
    expect(withoutIds(one.stderr)).toBe(withoutIds(other.stderr));
    expect([one.stdout, one.code]).toEqual(['', 1]);
  });
}

/** Ids of what the container runtime started. */
const withoutIds = (message: string): string => message.replaceAll(/\b[0-9a-f]{64}\b/g, '<id>');

async function httpGet(url: string, agent: Agent): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outgoing = request(url, { agent }, (response) => {
    text(response).then((body) => resolve(`${response.statusCode} ${body}`), reject);
  });
  outgoing.on('error', reject);
  outgoing.end();
  return await promise;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
