import { expect, test } from 'vitest';
import { IDLE, namespace, shellPod } from '../../support/objects.ts';
import type { Person } from '../../support/people.ts';
import type { World } from '../../support/worlds/world.ts';

/** The goal of design.md §2. */
const HOLDS_WITHIN_MS = 5_000;

const SPACE = ['-n', 'revocation'];

/** What was taken back is refused everywhere within seconds, and by the right answer. */
export function revocation(world: () => World): void {
  const ask = (person: Person) => person.through.kubectl(['get', '--raw', '/version']);

  /** Asks until refused. @returns how long that took, and what kubectl said. */
  async function untilRefused(person: Person): Promise<{ took: number; stderr: string }> {
    const since = performance.now();
    for (;;) {
      const { code, stderr } = await ask(person);
      const took = performance.now() - since;
      if (code !== 0 || took > 2 * HOLDS_WITHIN_MS) return { took, stderr };
    }
  }

  test('a token that its owner deletes is refused within 5 s; another of theirs works on', async () => {
    const { owner } = world();
    const other = await world().anotherKubeconfig(owner);
    expect((await ask(other)).code).toBe(0);
    await owner.api.text('DELETE', `/v1/tokens/${other.token.id}`);
    const { took, stderr } = await untilRefused(other);
    console.log(`a deleted token was refused after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(HOLDS_WITHIN_MS);
    expect(stderr).toBe('error: You must be logged in to the server (the token was revoked; sign in again)\n');
    expect((await ask(owner)).code).toBe(0);
  });

  test('a watch and an exec that are under way end within 5 s of the token that began them', async () => {
    const { owner, admin } = world();
    await admin.apply(namespace('revocation'));
    await admin.ok([...SPACE, 'apply', '-f', '-'], { input: JSON.stringify(shellPod('shell', IDLE)) });
    await admin.ok([...SPACE, 'wait', 'pod/shell', '--for=condition=Ready', '--timeout=60s']);
    const { through, token } = await world().anotherKubeconfig(owner);
    const watch = through.start([...SPACE, 'get', 'pods', '-w', '-o', 'name']);
    const exec = through.start([...SPACE, 'exec', '-i', 'shell', '--', 'cat']);
    try {
      await watch.printed(/pod\/shell\n/);
      exec.type('there\n');
      await exec.printed(/there\n/);
      const since = performance.now();
      await owner.api.text('DELETE', `/v1/tokens/${token.id}`);
      const [watched, executed] = await Promise.all([watch.exited, exec.exited]);
      const took = performance.now() - since;
      console.log(`a deleted token ended its watch and its exec after ${took.toFixed(0)} ms`);
      expect(took).toBeLessThan(HOLDS_WITHIN_MS);
      // kubectl get -w ends with 0 whatever ended its watch.
      expect(watched.stdout).toBe('pod/shell\n');
      expect(executed.code).not.toBe(0);
      expect(executed.stderr).toContain('revoked');
    } finally {
      await Promise.all([watch.end('SIGKILL'), exec.end('SIGKILL')]);
    }
  });

  test('a person who loses their role is refused within 5 s', async () => {
    const person = await world().addPerson('rolf', 'owner');
    expect((await ask(person)).code).toBe(0);
    await world().api.text('DELETE', `/v1/clusters/${world().clusterId}/members/${person.id}`);
    const { took, stderr } = await untilRefused(person);
    console.log(`a lost role was refused after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(HOLDS_WITHIN_MS);
    expect(stderr).toMatch(/^Error from server \(Forbidden\): user u-\w+ has no access to cluster e2e/);
  });

  test('a person who is disabled is refused within 5 s (CVE-2023-22648)', async () => {
    const person = await world().addPerson('dora', 'member');
    const who = (): ReturnType<typeof ask> => person.through.kubectl(['auth', 'whoami']);
    expect((await who()).code).toBe(0);
    await world().api.text('PATCH', `/v1/users/${person.id}`, { spec: { enabled: false } });
    const { took, stderr } = await untilRefused(person);
    console.log(`a disabled person was refused after ${took.toFixed(0)} ms`);
    expect(took).toBeLessThan(HOLDS_WITHIN_MS);
    expect(stderr).toContain('You must be logged in to the server (the account is disabled)');
  });
}
