import { expect, test } from 'vitest';
import { etagOf, IfMatch, meets } from './precondition.ts';

test.each<[string, string, boolean]>([
  ['its own tag', '"7"', true],
  ['one of several', '"6", "7"', true],
  ['one of several, with empty elements between', ', "6" ,,"7",', true],
  ['whatever is there', '*', true],
  ['the tag of another version', '"6"', false],
  ['a weak tag, which says too little for a change', 'W/"7"', false],
  ['a tag that begins so', '"71"', false],
  ['a tag with a comma in it', '"6,7"', false],
  ['an empty tag', '""', false],
])('%s: %s', (_what, value, met) => {
  expect(meets(IfMatch.parse(value), 7)).toBe(met);
});

test('no precondition is met by every version, and a tag that was given out by its own', () => {
  expect(meets(undefined, 7)).toBe(true);
  expect(meets(IfMatch.parse(etagOf(7)), 7)).toBe(true);
});

test.each([
  '',
  ',',
  '7',
  '"7',
  '"7" "8"',
  'w/"7"',
  '*, "7"',
  '"a b"',
  '"7"\n',
  Array.from({ length: 17 }, () => '"7"').join(),
  `"${'7'.repeat(511)}"`,
])('what is no list of tags, or too long a one, is refused: %j', (value) => {
  expect(IfMatch.safeParse(value).success).toBe(false);
});
