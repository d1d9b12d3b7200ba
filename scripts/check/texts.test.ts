import { expect, test } from 'vitest';

import { findBanned, machineTexts } from './texts.ts';

const BANNED = machineTexts(
  { npm_config_registry: 'https://packages.corp.example/npm/', GOPROXY: 'https://modules.corp.example,direct' },
  '/home/ann',
  '/builds/ann/outrider',
);
const find = (text: string): string[] => findBanned('a.ts', text, BANNED);

test('finds the registries that the machine is told of, and the line', () => {
  const why = 'names a package registry: where packages come from is the machine’s business';
  expect(find('one\nhttps://packages.corp.example/npm/x.tgz')).toEqual([`a.ts:2: ${why}`]);
  expect(find('modules.corp.example')).toEqual([`a.ts:1: ${why}`]);
});

test('finds the home folder and the checkout', () => {
  expect(find('see /home/ann/notes.md')).toHaveLength(1);
  expect(find('cd /builds/x')).toHaveLength(1);
});

test('passes other hosts, common folders, and the same words inside other paths', () => {
  expect(find('https://docs.example.org /tmp/x /home/bob/x apis/builds/v1 ${x}/builds/y')).toEqual([]);
});

test('takes no place that every machine has for a secret of this one', () => {
  expect(findBanned('a.ts', '/tmp/x', machineTexts({}, '/', '/tmp/outrider'))).toEqual([]);
});
