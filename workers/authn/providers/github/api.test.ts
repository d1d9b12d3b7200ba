import { expect, test } from 'vitest';
import { addressesOf, nextPage } from './api.ts';

test.each([
  ['github.com', 'https://github.com', 'https://api.github.com'],
  ['octocorp.ghe.com', 'https://octocorp.ghe.com', 'https://api.octocorp.ghe.com'],
  ['git.example.com:8443', 'https://git.example.com:8443', 'https://git.example.com:8443/api/v3'],
])('GitHub at %s', (hostname, web, api) => {
  expect(addressesOf(hostname)).toEqual({ web, api });
});

const FROM = 'https://api.github.com/user/teams?per_page=100';

test('the next page is the one that is called so', () => {
  const link =
    '<https://api.github.com/user/teams?page=1>; rel="prev", <https://api.github.com/user/teams?page=3>; rel="next"';
  expect(nextPage(link, FROM)).toBe('https://api.github.com/user/teams?page=3');
  expect(nextPage('<https://api.github.com/user/teams?page=1>; rel="first"', FROM)).toBeNull();
  expect(nextPage(null, FROM)).toBeNull();
});

test.each([
  'https://evil.example.com/',
  'http://api.github.com/user/teams',
  '//evil.example.com/',
  'https://api.github.com:444/',
])('a next page at %s is refused', (target) => {
  expect(() => nextPage(`<${target}>; rel="next"`, FROM)).toThrow('another host');
});
