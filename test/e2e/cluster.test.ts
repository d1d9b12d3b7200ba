import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DemoCluster, startCluster } from '#scripts/demo/cluster.ts';
import { BUSYBOX_IMAGE } from '#scripts/demo/images.ts';

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'cluster-'))));
afterAll(() => rm(dir, { recursive: true, force: true }));

const log = (line: string): void => console.log(line);

describe('a cluster with a node', () => {
  let cluster: DemoCluster;
  beforeAll(async () => {
    cluster = await startCluster({ dir: join(dir, 'one'), log, auditLog: true });
    await kubectl(cluster, ['apply', '-f', '-'], JSON.stringify(webPod));
    await kubectl(cluster, ['wait', 'pod/web', '--for=condition=Ready', '--timeout=60s']);
  });
  afterAll(() => cluster?.stop());

  test('its node is Ready and everything calls itself by the pinned version', async () => {
    const node = JSON.parse(await kubectl(cluster, ['get', 'node', 'demo-node', '-o', 'json']));
    expect(node.status.nodeInfo.kubeletVersion).toBe('v1.34.2');
    const ready = node.status.conditions.find((condition: { type: string }) => condition.type === 'Ready');
    expect(ready.status).toBe('True');
    expect(JSON.parse(await kubectl(cluster, ['version', '-o', 'json'])).serverVersion.gitVersion).toBe('v1.34.2');
  });

  test('logs are what the container wrote', async () => {
    expect(await kubectl(cluster, ['logs', 'web'])).toBe('serving\n');
  });

  test('exec carries standard input, both outputs and the exit code', async () => {
    const args = ['exec', '-i', 'web', '--', 'sh', '-c', 'cat; echo trouble >&2; exit 7'];
    const result = await cluster.kubectl(args, { input: 'through' });
    expect(result).toMatchObject({ stdout: 'through', code: 7 });
    expect(result.stderr).toContain('trouble');
  });

  test('port-forward reaches the port of the container', async () => {
    const forward = spawn(cluster.kubectlPath, ['port-forward', 'pod/web', ':8080'], {
      // Without a home kubectl keeps its cache in the folder in which it runs: the checkout.
      env: { KUBECONFIG: cluster.adminKubeconfig, HOME: dir },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = await once(createInterface(forward.stdout), 'line');
      const port = /:(\d+) ->/.exec(String(line))?.[1];
      const answer = await fetch(`http://127.0.0.1:${port}/index.html`);
      expect(await answer.text()).toBe('page\n');
    } finally {
      forward.kill();
      await once(forward, 'exit');
    }
  });

  test('cp brings 20 MB in and out unharmed', async () => {
    const data = randomBytes(20_000_000);
    await writeFile(join(dir, 'in.bin'), data);
    await kubectl(cluster, ['cp', join(dir, 'in.bin'), 'web:/tmp/file.bin']);
    await kubectl(cluster, ['cp', 'web:/tmp/file.bin', join(dir, 'out.bin')]);
    expect(sha256(await readFile(join(dir, 'out.bin')))).toBe(sha256(data));
  });

  test('a pod reaches a service by its cluster address, also its own', async () => {
    await kubectl(cluster, ['expose', 'pod', 'web', '--port=80', '--target-port=8080']);
    const address = await kubectl(cluster, ['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
    // The service proxy needs a moment to write its rules. wget itself would give up at the first refusal, and a connection that was begun before the rules goes nowhere as long as it is tried
    // again: the kernel has noted its address as it was.
    const get = `for i in $(seq 100); do timeout 2 wget -qO- http://${address}/ 2>/dev/null && exit; usleep 100000; done; exit 1`;
    expect(await kubectl(cluster, ['exec', 'web', '--', 'sh', '-c', get])).toBe('page\n');
  });

  test('a pod reaches the API server as every in-cluster client does', async () => {
    const get = 'wget -qO- --no-check-certificate https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version';
    const answer = await kubectl(cluster, ['exec', 'web', '--', 'sh', '-c', get]);
    expect(JSON.parse(answer).gitVersion).toBe('v1.34.2');
  });

  test('a pod reaches services of this machine at the bridge address', async () => {
    const server = createServer((_, response) => response.end('from the host'));
    server.listen(0, cluster.bridgeAddress);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const args = ['exec', 'web', '--', 'wget', '-qO-', `http://${cluster.bridgeAddress}:${port}/`];
    expect(await kubectl(cluster, args)).toBe('from the host');
    server.close();
  });

  test('it issues service account tokens', async () => {
    const token = (await kubectl(cluster, ['create', 'token', 'default', '--duration=10m'])).trim();
    const whoami = ['auth', 'whoami', '--token', token, '-o', 'jsonpath={.status.userInfo.username}'];
    // Without the administrator's certificate, which would win over the token.
    const kubeconfig = join(dir, 'anonymous.kubeconfig');
    const config = JSON.parse(await readFile(cluster.adminKubeconfig, 'utf8'));
    await writeFile(kubeconfig, JSON.stringify({ ...config, users: [{ name: 'admin', user: {} }] }));
    const result = await cluster.kubectl(whoami, { kubeconfig });
    expect(result).toMatchObject({ code: 0, stdout: 'system:serviceaccount:default:default' });
  });

  test('the audit log has each request', async () => {
    const file = cluster.auditLog ?? '';
    await kubectl(cluster, ['get', 'configmaps', '-n', 'kube-public', '--request-timeout=4321s']);
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.includes('kube-public/configmaps'));
    expect(lines.some((line) => JSON.parse(line).user.username === 'kubernetes-admin')).toBe(true);
  });

  test('a second cluster in the same folder is refused with a sentence', async () => {
    await expect(startCluster({ dir: join(dir, 'one'), log })).rejects.toThrow('another process runs a cluster in');
  });

  test('a second cluster in another folder runs beside it, and its end does not disturb the first', async () => {
    const other = await startCluster({ dir: join(dir, 'two'), log, name: 'other' });
    try {
      expect(other.bridgeAddress).not.toBe(cluster.bridgeAddress);
      await kubectl(other, ['apply', '-f', '-'], JSON.stringify(webPod));
      await kubectl(other, ['wait', 'pod/web', '--for=condition=Ready', '--timeout=60s']);
    } finally {
      await other.stop();
    }
    expect(await kubectl(cluster, ['exec', 'web', '--', 'cat', '/www/index.html'])).toBe('page\n');
    expect(await traces('two', other.bridgeAddress)).toEqual([]);
  });

  test('when it stops it leaves its data and nothing else', async () => {
    await cluster.stop();
    expect(await traces('one', cluster.bridgeAddress)).toEqual([]);
    expect(existsSync(join(dir, 'one/etcd'))).toBe(true);
  });

  test('started again it goes on with its data, and its pods run', async () => {
    cluster = await startCluster({ dir: join(dir, 'one'), log });
    await kubectl(cluster, ['wait', 'pod/web', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1']);
    await kubectl(cluster, ['wait', 'pod/web', '--for=condition=Ready', '--timeout=60s']);
    expect(await kubectl(cluster, ['exec', 'web', '--', 'cat', '/www/index.html'])).toBe('page\n');
  });
});

describe('a cluster whose process was killed', () => {
  test('leaves no process, no mount and no interface, and starts again in the same folder', async () => {
    const folder = join(dir, 'crash');
    const main = join(import.meta.dirname, '../../scripts/demo/main.ts');
    const child = spawn(process.execPath, [main, 'up', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(child.stdout)) if (line.startsWith('kubectl: ')) break;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const config = JSON.parse(await readFile(join(folder, 'admin.kubeconfig'), 'utf8'));
    const address = new URL(config.clusters[0].cluster.server).hostname;
    // The kernel ends them at once, but takes a moment for it.
    await expect.poll(() => traces('crash', address), { timeout: 10_000 }).toEqual([]);

    const cluster = await startCluster({ dir: folder, log });
    await cluster.stop();
    expect(await traces('crash', cluster.bridgeAddress)).toEqual([]);
  });
});

test('a cluster without a node answers on the loopback address only and makes default accounts', async () => {
  const cluster = await startCluster({ dir: join(dir, 'api'), log, apiOnly: true });
  try {
    expect(new URL(cluster.apiServer).hostname).toBe('127.0.0.1');
    expect(await kubectl(cluster, ['get', 'serviceaccount', 'default', '-o', 'name'])).toBe('serviceaccount/default\n');
    expect(await kubectl(cluster, ['get', 'nodes', '-o', 'name'])).toBe('');
  } finally {
    await cluster.stop();
  }
});

const webPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'web',
        image: BUSYBOX_IMAGE,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', 'mkdir /www; echo page > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www'],
      },
    ],
  },
};

/** Runs kubectl, which has to succeed. */
async function kubectl(cluster: DemoCluster, args: readonly string[], input?: string): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with code ${code}: ${stderr}`);
  return stdout;
}

/** What of the cluster in the folder `name` with this address is still to be seen on the machine. Other clusters may be running. */
async function traces(name: string, address: string): Promise<string[]> {
  const folder = join(dir, name);
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(`${folder}/`)) found.push(command.replaceAll('\0', ' '));
  }
  const mounts = await readFile('/proc/mounts', 'utf8');
  found.push(...mounts.split('\n').filter((line) => line.includes(folder)));
  const addresses = Object.values(networkInterfaces()).flatMap((links) => links?.map((link) => link.address) ?? []);
  return [...found, ...addresses.filter((other) => other === address)];
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
