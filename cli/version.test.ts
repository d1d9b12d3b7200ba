import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLI_VERSION } from './version.ts';

test('is the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(CLI_VERSION).toBe(version);
});
