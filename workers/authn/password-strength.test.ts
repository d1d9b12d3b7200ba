import { expect, test } from 'vitest';
import { isGuessable } from './password-strength.ts';

const ADA = ['ada.lovelace', 'ada', 'lovelace'];

test.each([
  ['a common word with digits behind it', 'password1234'],
  ['letters that are digits', 'P@ssw0rd2026'],
  ['a common word twice', 'passwordpassword'],
  ['the product', 'Outrider-123'],
  ['the trade', 'kubernetes123'],
  ['who has it', 'administrator1'],
  ['their own name', 'ada.lovelace'],
  ['parts of their own name', 'Lovelace2026'],
  ['their own name backwards', 'ecalevol.ada'],
  ['one character', 'aaaaaaaaaaaa'],
  ['one character, very often', 'x'.repeat(256)],
  ['a repetition', 'abcabcabcabc'],
  ['a sequence', 'abcdefghijkl'],
  ['digits in a row', '123456789012'],
  ['a row of the keyboard', 'qwertyuiop12'],
  ['a walk over the keyboard', '1q2w3e4r5t6y'],
  ['columns of the keyboard', 'qazwsxedcrfv'],
  ['a season and a year', 'Summer2026!!'],
  ['what everybody is told to change', 'changeme1234'],
])('%s is guessed', (_what, password) => {
  expect(isGuessable(password, ADA)).toBe(true);
});

test.each([
  'correct horse battery staple',
  'a password of my own',
  'one-time-password',
  'some password 1',
  'k3vxw7q2plmz',
  '長い合言葉を選びました本当に',
  String.fromCharCode(...Array.from({ length: 256 }, (_, at) => 33 + ((at * 37) % 90))),
])('"%s" is not', (password) => {
  expect(isGuessable(password, ADA)).toBe(false);
});
