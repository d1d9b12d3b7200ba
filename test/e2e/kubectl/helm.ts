import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { World } from '../../support/worlds/world.ts';

const CHART = join(import.meta.dirname, '../../support/fixtures/chart');

const releases = z.array(z.looseObject({ name: z.string(), revision: z.string(), status: z.string() }));
const history = z.array(z.looseObject({ revision: z.int(), status: z.string(), description: z.string() }));

/** The real helm, over the printed kubeconfig. */
export function helm(world: () => World): void {
  const space = ['--namespace', 'helm'];
  const through = () => world().owner.through;
  const greeting = async (): Promise<string> => {
    const args = [...space, 'get', 'configmap', 'hello', '-o=jsonpath={.data.greeting}'];
    return await world().admin.ok(args);
  };

  test('installs a chart and waits until it runs', async () => {
    await through().helm(['install', 'hello', CHART, ...space, '--create-namespace', '--wait', '--timeout=90s']);
    expect(await greeting()).toBe('one');
    const list = releases.parse(JSON.parse(await through().helm(['list', ...space, '-o', 'json'])));
    expect(list).toMatchObject([{ name: 'hello', revision: '1', status: 'deployed' }]);
    expect(await through().helm(['test', 'hello', ...space])).toContain('Phase:          Succeeded');
  });

  test('upgrades it', async () => {
    const args = ['upgrade', 'hello', CHART, ...space, '--set', 'greeting=two,replicas=2', '--wait', '--timeout=90s'];
    await through().helm(args);
    expect(await greeting()).toBe('two');
  });

  test('an upgrade that cannot be applied fails and says why', async () => {
    const args = ['upgrade', 'hello', CHART, ...space, '--set', 'replicas=-1'];
    await expect(through().helm(args)).rejects.toThrow('must be greater than or equal to 0');
  });

  test('rolls back to the first', async () => {
    await through().helm(['rollback', 'hello', '1', ...space, '--wait', '--timeout=90s']);
    expect(await greeting()).toBe('one');
    const revisions = history.parse(JSON.parse(await through().helm(['history', 'hello', ...space, '-o', 'json'])));
    expect(revisions.map(({ status }) => status)).toEqual(['superseded', 'superseded', 'failed', 'deployed']);
    expect(revisions.at(-1)?.description).toBe('Rollback to 1');
  });

  test('uninstalls it', async () => {
    await through().helm(['uninstall', 'hello', ...space, '--wait', '--timeout=90s']);
    expect(await world().admin.ok([...space, 'get', 'configmap', 'hello', '--ignore-not-found'])).toBe('');
  });
}
