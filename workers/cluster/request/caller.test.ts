import { expect, test } from 'vitest';
import type { Principal } from '#schema/access.ts';
import { PRINCIPAL_HEADER, readAgent, readCaller, writeAgent, writeCaller } from './caller.ts';

const principal: Principal = {
  user: 'u-aaaaaaaaaa',
  token: 't-aaaaaaaaaa',
  issuedAt: 1,
  expiresAt: 2,
  cluster: null,
  readOnly: false,
  accessVersion: 3,
};
const headers = (value: string): Headers => new Headers({ [PRINCIPAL_HEADER]: value });

test('a caller arrives as they were, the first time and from memory', () => {
  expect([0, 1].map(() => readCaller(headers(writeCaller(principal))))).toEqual([principal, principal]);
});

test('two callers are never taken for one another, however many there are', () => {
  const callers = Array.from({ length: 5000 }, (_, i) => ({ ...principal, issuedAt: i }));
  for (const caller of callers) expect(readCaller(headers(writeCaller(caller)))).toEqual(caller);
  for (const caller of callers.slice(0, 10)) expect(readCaller(headers(writeCaller(caller)))).toEqual(caller);
});

test('a restriction that this deploy does not know is refused, not passed over', () => {
  const text = writeCaller({ ...principal, ...{ onlyOnSundays: true } });
  expect(() => readCaller(headers(text))).toThrow('onlyOnSundays');
});

test('what was read cannot be changed for the next request', () => {
  expect(Object.isFrozen(readCaller(headers(writeCaller(principal))))).toBe(true);
});

test('a request that names nobody is refused', () => {
  expect(() => readCaller(new Headers())).toThrow('names no caller');
});

test('an agent arrives as it was', () => {
  const agent = { cluster: `c-g${'a'.repeat(18)}`, publicKey: 'x'.repeat(43), generation: 1 };
  expect(readAgent(headers(writeAgent(agent)))).toEqual(agent);
});
