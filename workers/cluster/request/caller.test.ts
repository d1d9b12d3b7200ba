import { expect, test } from 'vitest';
import type { Principal } from '#schema/access.ts';
import { readAgent, readCaller, writeAgent, writeCaller } from './caller.ts';

const principal: Principal = {
  user: 'u-aaaaaaaaaa',
  token: 't-aaaaaaaaaa',
  issuedAt: 1,
  expiresAt: 2,
  cluster: null,
  readOnly: false,
  accessVersion: 3,
};

test('a caller arrives as they were, the first time and from memory', () => {
  expect([0, 1].map(() => readCaller(writeCaller(principal)))).toEqual([principal, principal]);
});

test('two callers are never taken for one another, however many there are', () => {
  const callers = Array.from({ length: 5000 }, (_, i) => ({ ...principal, issuedAt: i }));
  for (const caller of callers) expect(readCaller(writeCaller(caller))).toEqual(caller);
  for (const caller of callers.slice(0, 10)) expect(readCaller(writeCaller(caller))).toEqual(caller);
});

test('a restriction that this deploy does not know is refused, not passed over', () => {
  const text = writeCaller({ ...principal, ...{ onlyOnSundays: true } });
  expect(() => readCaller(text)).toThrow('onlyOnSundays');
});

test('what was read cannot be changed for the next request', () => {
  expect(Object.isFrozen(readCaller(writeCaller(principal)))).toBe(true);
});

test.each(['', 'x', '%', btoa('{}'), btoa('null')])('"%s" is nobody', (text) => {
  expect(() => readCaller(text)).toThrow(/./);
});

test('an agent arrives as it was', () => {
  const agent = { cluster: `c-g${'a'.repeat(18)}`, publicKey: 'x'.repeat(43), generation: 1 };
  expect(readAgent(writeAgent(agent))).toEqual(agent);
});
