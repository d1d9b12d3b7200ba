import { expect, test } from 'vitest';
import { announcedCommit } from './commit.ts';

/** Records the order of what happens; `fail` makes one of the steps throw. */
function world(fail?: 'arm' | 'batch' | 'kick') {
  const steps: string[] = [];
  const later: Promise<unknown>[] = [];
  const step = async (name: 'arm' | 'batch' | 'kick'): Promise<void> => {
    steps.push(name);
    if (name === fail) throw new Error(name);
  };
  const commit = announcedCommit({
    db: {
      batch: async () => {
        await step('batch');
        return [];
      },
    } as unknown as D1Database,
    dispatcher: () => ({ arm: async () => await step('arm'), kick: async () => await step('kick') }),
    waitUntil: (work) => later.push(work),
  });
  return { steps, commit, settled: async () => await Promise.all(later) };
}

test('the dispatcher is armed before the commit and kicked after it', async () => {
  const { steps, commit, settled } = world();
  await commit([]);
  await settled();
  expect(steps).toEqual(['arm', 'batch', 'kick']);
});

test('without a dispatcher nothing is committed', async () => {
  const { steps, commit } = world('arm');
  await expect(commit([])).rejects.toThrow('arm');
  expect(steps).toEqual(['arm']);
});

test('a commit that failed may still come: the dispatcher is left waiting for it', async () => {
  const { steps, commit, settled } = world('batch');
  await expect(commit([])).rejects.toThrow('batch');
  await settled();
  expect(steps).toEqual(['arm', 'batch']);
});

test('a kick that fails is no failure of the change', async () => {
  const { commit, settled } = world('kick');
  await expect(commit([])).resolves.toEqual([]);
  await settled();
});
