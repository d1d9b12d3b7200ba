import { expect, test } from 'vitest';
import { portablePatterns } from './pattern.ts';

test.each([String.raw`^[^\p{Cc}]*$`, String.raw`^\P{Cc}*$`, String.raw`^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$`])(
  '%s means the same to engines without Unicode categories',
  (pattern) => {
    const written = String(portablePatterns({ pattern })['pattern']);
    expect(written).not.toMatch(/\\p\{/i);
    const exact = new RegExp(pattern, 'u');
    // Without the flag, as such engines read it; the Basic Multilingual Plane is what it is exact for.
    const portable = new RegExp(written);
    const differing: string[] = [];
    for (let unit = 0; unit <= 0xffff; unit++) {
      const text = String.fromCharCode(unit);
      if (exact.test(text) !== portable.test(text)) differing.push(unit.toString(16));
    }
    expect(differing).toEqual([]);
  },
);

test('a pattern inside of other schemas is found, and a property of that name is left alone', () => {
  const schema = { allOf: [{ pattern: String.raw`\P{Cc}` }], properties: { pattern: { type: 'string' } } };
  expect(portablePatterns(schema)).toEqual({
    allOf: [{ pattern: String.raw`[^\x00-\x1f\x7f-\x9f]` }],
    properties: { pattern: { type: 'string' } },
  });
});
