import { expect, test } from 'vitest';
import { lock, tryLock } from './lock.ts';

test('a lock has one holder, and another name is another lock', async () => {
  const held = await tryLock('lock.test one');
  const other = await tryLock('lock.test two');
  expect(held && other).toBeDefined();
  expect(await tryLock('lock.test one')).toBeUndefined();
  await Promise.all([held?.release(), other?.release()]);
});

test('a waiter is told once that it waits and gets the lock when it is released', async () => {
  const held = await lock('lock.test wait');
  const events: string[] = [];
  const waiter = lock('lock.test wait', () => {
    events.push('waiting');
    setImmediate(() => {
      events.push('released');
      void held.release();
    });
  });
  const mine = await waiter;
  expect(events).toEqual(['waiting', 'released']);
  await mine.release();
});

test('of many waiters each gets the lock in turn', async () => {
  let holders = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    const held = await lock('lock.test many');
    most = Math.max(most, ++holders);
    await new Promise(setImmediate);
    holders--;
    await held.release();
  };
  await Promise.all(Array.from({ length: 8 }, work));
  expect(most).toBe(1);
});
