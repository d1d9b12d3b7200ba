import { expect, test } from 'vitest';
import { loopbackAddress, newUserCode, shownCode, typedCode } from './codes.ts';

test('a code has eight letters that are not read as others and make no words, and each is as likely', () => {
  const codes = Array.from({ length: 2_000 }, newUserCode);
  for (const code of codes) expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
  expect(new Set(codes).size).toBe(codes.length);
  const counts = Object.values(Object.groupBy(codes.join(''), (letter) => letter)).map((seen) => seen?.length ?? 0);
  // 800 of each are expected, give or take 28.
  expect(counts).toHaveLength(20);
  expect(Math.min(...counts)).toBeGreaterThan(600);
  expect(Math.max(...counts)).toBeLessThan(1_000);
});

test.each(['BCDF-GHJK', 'bcdfghjk', ' bcdf ghjk ', 'BC-DF-GH-JK'])('"%s" is the code BCDFGHJK', (typed) => {
  expect(typedCode(typed)).toBe('BCDFGHJK');
  expect(shownCode('BCDFGHJK')).toBe('BCDF-GHJK');
});

test.each(['', 'BCDF-GHJ', 'BCDF-GHJKL', 'BCDF-GHJA', 'BCDF-GHJ0', 'ÄCDF-GHJK', '<BCDFGHJK'])(
  '"%s" is no code',
  (typed) => {
    expect(typedCode(typed)).toBeNull();
  },
);

test('a program is at the loopback address, on any port, at a plain path', () => {
  for (const uri of ['http://127.0.0.1:1/', 'http://127.0.0.1:65535/a/b-c_d.e~f']) {
    expect(loopbackAddress(uri)?.href).toBe(uri);
  }
  // Every way that was thought of to lead elsewhere: test/workerd/sign-in/code.test.ts.
  expect(loopbackAddress('http://localhost:1/')).toBeNull();
});
