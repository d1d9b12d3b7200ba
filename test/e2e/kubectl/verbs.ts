import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { expect, test } from 'vitest';
import { configMap, IDLE, namespace, shellDeployment, shellPod, WEB_SERVER } from '../../support/objects.ts';
import { AuditLog } from '../../support/audit.ts';
import type { World } from '../../support/worlds/world.ts';

/** An event is told at once: this much is a busy machine's. */
const AT_ONCE_MS = 1_000;

/** What people do all day with kubectl, over their own kubeconfig. */
export function verbs(world: () => World): void {
  const space = 'verbs';
  const through = () => world().owner.through;
  const admin = () => world().admin;
  const ok = (...args: string[]): Promise<string> => through().ok(['-n', space, ...args]);

  test('a namespace with a web server is made through the plane', async () => {
    await through().apply(namespace(space));
    await ok('run', 'check', '--image=docker.io/local/busybox:1', '--dry-run=server', '-o', 'name');
    await through().ok(['-n', space, 'apply', '-f', '-'], { input: JSON.stringify(shellPod('web', WEB_SERVER)) });
    expect(await ok('wait', 'pod/web', '--for=condition=Ready', '--timeout=60s')).toBe('pod/web condition met\n');
  });

  test('get and get nodes answer', async () => {
    expect(await through().ok(['get', 'nodes', '-o', 'name'])).toBe('node/demo-node\n');
    expect(await ok('get', 'pods')).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nweb +1\/1 +Running /);
  });

  test('get -w tells each event at once, however long the watch was silent', async () => {
    const watch = through().start(['-n', space, 'get', 'configmaps', '-w', '--watch-only', '-o', 'name']);
    try {
      for (const name of ['first', 'second', 'third']) {
        const args = ['-n', space, 'create', 'configmap', name];
        // The watch may be opened after the first was made, and would not tell of it.
        if (name === 'first') await expect.poll(() => watchIsOpen(world(), space), { timeout: 20_000 }).toBe(true);
        await admin().ok(args);
        const made = Date.now();
        await watch.printed(new RegExp(`configmap/${name}\n`));
        expect(Date.now() - made).toBeLessThan(AT_ONCE_MS);
      }
    } finally {
      await watch.end('SIGINT');
    }
  });

  test('explain reads the schema', async () => {
    expect(await ok('explain', 'deployment.spec.strategy')).toContain('FIELD: strategy <DeploymentStrategy>');
  });

  test('apply --server-side, patch and delete change what they say', async () => {
    const apply = ['-n', space, 'apply', '--server-side', '--field-manager=one', '-f', '-'];
    await through().ok(apply, { input: JSON.stringify(configMap('change', { a: '1', b: '2' })) });
    await ok('patch', 'configmap', 'change', '--type=merge', '-p', '{"data":{"b":"3"}}');
    await ok('patch', 'configmap', 'change', '--type=json', '-p', '[{"op":"remove","path":"/data/a"}]');
    const direct = await admin().json<{ data: unknown }>(['-n', space, 'get', 'configmap', 'change']);
    expect(direct.data).toEqual({ b: '3' });
    expect(await ok('delete', 'configmap', 'change')).toBe('configmap "change" deleted from verbs namespace\n');
    expect(await admin().ok(['-n', space, 'get', 'configmap', 'change', '--ignore-not-found'])).toBe('');
  });

  test('logs -f follows until the container ends, line by line', async () => {
    const script = 'for n in 1 2 3 4 5; do echo line $n; sleep 1; done';
    const pod = shellPod('talker', script, { spec: { restartPolicy: 'Never' } });
    await admin().ok(['-n', space, 'apply', '-f', '-'], { input: JSON.stringify(pod) });
    await ok('wait', 'pod/talker', '--for=condition=Ready', '--timeout=60s');
    const logs = through().start(['-n', space, 'logs', '-f', 'talker']);
    await logs.printed(/line 2\n/);
    expect(logs.stdout).not.toContain('line 5');
    const { stdout, code } = await logs.exited;
    expect({ stdout, code }).toEqual({ stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\n', code: 0 });
  });

  test('wait returns when it comes true', async () => {
    const wait = through().start(['-n', space, 'wait', 'configmap/awaited', '--for=create', '--timeout=60s']);
    await admin().ok(['-n', space, 'create', 'configmap', 'awaited']);
    expect(await wait.exited).toMatchObject({ code: 0, stdout: 'configmap/awaited condition met\n' });
  });

  test('rollout status follows a rollout to its end; undo goes back', async () => {
    const input = JSON.stringify(shellDeployment('app', 2, IDLE));
    await through().ok(['-n', space, 'apply', '-f', '-'], { input });
    await ok('rollout', 'status', 'deployment/app', '--timeout=90s');
    await ok('set', 'env', 'deployment/app', 'COLOUR=blue');
    const status = await ok('rollout', 'status', 'deployment/app', '--timeout=90s');
    expect(status).toContain('deployment "app" successfully rolled out');
    await ok('rollout', 'undo', 'deployment/app');
    await ok('rollout', 'status', 'deployment/app', '--timeout=90s');
    const env = '-o=jsonpath={.spec.template.spec.containers[0].env}';
    expect(await ok('get', 'deployment', 'app', env)).toBe('');
  });

  test('proxy serves the API to anything on this machine, changes and watches too', async () => {
    // The flag is for servers whose URL has a path: without it kubectl proxy leaves that path out, for any of them.
    const proxy = through().start(['proxy', '--port=0', '--append-server-path']);
    try {
      const [, port] = await proxy.printed(/serve on 127\.0\.0\.1:(\d+)/);
      const url = `http://127.0.0.1:${port}/api/v1/namespaces/${space}/configmaps`;
      const created = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(configMap('by-proxy', { via: 'kubectl proxy' })),
      });
      expect(created.status).toBe(201);
      const { metadata } = (await created.json()) as { metadata: { resourceVersion: string } };
      const watch = await fetch(`${url}?watch=1&resourceVersion=${metadata.resourceVersion}&timeoutSeconds=30`);
      await admin().ok(['-n', space, 'delete', 'configmap', 'by-proxy']);
      const reader = watch.body!.getReader();
      const { value } = await reader.read();
      expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ type: 'DELETED' });
      await reader.cancel();
    } finally {
      await proxy.end('SIGINT');
    }
  });

  test('auth whoami names the person, their groups and the token; auth can-i judges by the cluster', async () => {
    const { id, username, groups, token } = world().owner;
    const review = await through().json<{ status: { userInfo: unknown } }>(['auth', 'whoami']);
    expect(review.status.userInfo).toEqual({
      username: id,
      groups: [...groups, 'system:authenticated'],
      extra: { 'outrider.dev/token': [token.id], 'outrider.dev/username': [username] },
    });
    expect(await ok('auth', 'can-i', 'delete', 'nodes')).toBe('yes\n');
  });

  test('path and query reach the API server as they were sent', async () => {
    const mark = randomUUID();
    const target = `/api/v1/namespaces/${space}/services/web:80/proxy//a%2Fb/%E2%82%AC?x=%20+y&z=%2f&${mark}`;
    // kubectl would tidy them up itself.
    await requestExactly(world(), target);
    const events = await new AuditLog(world().cluster.auditLog).events(mark);
    expect(events.map(({ requestURI }) => requestURI)).toEqual([target]);
  });

  test('a member of the cluster has no rights until its RBAC gives them some', async () => {
    const member = await world().addPerson('vera', 'member');
    const get = ['-n', space, 'get', 'configmaps', '-o', 'name'];
    const refused = await member.through.kubectl(get);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(`User "${member.id}" cannot list resource "configmaps"`);
    await through().ok(['-n', space, 'create', 'rolebinding', 'vera', '--clusterrole=view', `--user=${member.id}`]);
    expect(await member.through.ok(get)).toContain('configmap/awaited');
    expect((await member.through.kubectl(['-n', space, 'delete', 'configmap', 'awaited'])).code).toBe(1);
  });

  test('nobody impersonates another by --as', async () => {
    const { code, stderr } = await through().kubectl(['get', 'pods', '--as=viewer']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error from server \(Forbidden\): /);
  });

  test('drain evicts pods and cordons the node; uncordon lets them come back', async () => {
    const args = ['drain', 'demo-node', '--ignore-daemonsets', '--pod-selector=app=app', '--timeout=60s'];
    const drained = await through().ok(args);
    expect(drained).toContain('node/demo-node drained');
    expect(drained.match(/evicted/g)).toHaveLength(2);
    expect(await through().ok(['get', 'node', 'demo-node', '-o=jsonpath={.spec.unschedulable}'])).toBe('true');
    expect(await through().ok(['uncordon', 'demo-node'])).toBe('node/demo-node uncordoned\n');
    await ok('rollout', 'status', 'deployment/app', '--timeout=90s');
  });
}

/** Whether the API server is answering a watch of ConfigMaps in the namespace to a person. */
async function watchIsOpen(world: World, space: string): Promise<boolean> {
  const path = `/api/v1/namespaces/${space}/configmaps`;
  const events = await new AuditLog(world.cluster.auditLog).events(path, 'ResponseStarted');
  return events.some(({ verb, impersonatedUser }) => verb === 'watch' && impersonatedUser !== undefined);
}

/** Sends a GET whose target no URL parser has touched. @returns the status */
async function requestExactly({ plane, clusterId, owner }: World, target: string): Promise<number> {
  const path = `/k8s/clusters/${clusterId}${target}`;
  const headers = { authorization: `Bearer ${owner.token.text}` };
  const outgoing = request({ host: plane.host, port: plane.port, path, headers, ca: plane.caPem, agent: false });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode ?? 0;
}
