import { beforeEach, describe, expect, it } from 'vitest';
import { Account } from './accounts.ts';

const HOUR = 3_600_000;

let now: number;
let issued: number;
let fails: boolean;
let account: Account;

beforeEach(() => {
  now = 0;
  issued = 0;
  fails = false;
  account = new Account(
    'outrider-proxy',
    () => {
      if (fails) return Promise.reject(new Error('the API server is away'));
      issued++;
      return Promise.resolve({ token: `token-${issued}`, expiresAt: now + HOUR });
    },
    () => now,
  );
});

describe('a token', () => {
  it('is asked for once, however many need it', async () => {
    expect(account.current()).toBeNull();
    expect(await Promise.all([account.token(), account.token(), account.token()])).toEqual([
      'token-1',
      'token-1',
      'token-1',
    ]);
    expect(issued).toBe(1);
    expect(account.current()).toBe('token-1');
  });

  it('is replaced at four fifths of its life, without anybody waiting', async () => {
    await account.token();
    now = 0.79 * HOUR;
    expect(account.current()).toBe('token-1');
    expect(issued).toBe(1);
    now = 0.8 * HOUR;
    expect(account.current()).toBe('token-1');
    await expect.poll(() => account.current()).toBe('token-2');
    expect(issued).toBe(2);
  });

  it('goes on being used while its replacement fails, asked for again every five seconds', async () => {
    await account.token();
    fails = true;
    now = 0.9 * HOUR;
    expect(account.current()).toBe('token-1');
    await new Promise(setImmediate);
    fails = false;
    now += 1000;
    expect(account.current()).toBe('token-1');
    expect(issued).toBe(1);
    now += 5000;
    account.current();
    await expect.poll(() => account.current()).toBe('token-2');
  });

  it('is not sent when it is about to expire', async () => {
    await account.token();
    now = HOUR - 5000;
    expect(account.current()).toBeNull();
    expect(await account.token()).toBe('token-2');
  });

  it('that was refused is asked for anew, but not more than once a minute', async () => {
    await account.token();
    expect(account.refused()).toBe(true);
    expect(account.current()).toBeNull();
    expect(await account.token()).toBe('token-2');
    now = 59_000;
    expect(account.refused()).toBe(false);
    expect(account.current()).toBe('token-2');
    now = 60_000;
    expect(account.refused()).toBe(true);
    expect(await account.token()).toBe('token-3');
  });

  it('is not asked for anew on account of the one before it, of which many may have been under way', async () => {
    await account.token();
    account.refused('token-1');
    await account.token();
    now = 61_000;
    expect(account.refused('token-1')).toBe(true);
    expect(account.current()).toBe('token-2');
  });

  it('that cannot be had is an error for those who ask, and is asked for again by the next', async () => {
    fails = true;
    await expect(account.token()).rejects.toThrow('away');
    fails = false;
    expect(await account.token()).toBe('token-1');
  });
});
