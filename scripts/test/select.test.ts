import { expect, test } from 'vitest';

import { PARTS } from './parts.ts';
import { isWhole, select } from './select.ts';

const of = (...words: string[]) => select(words, (word) => word.includes('/') || word === 'schema' || word === 'test');

test('runs everything when nothing is asked', () => {
  expect(of()).toEqual({ parts: PARTS, paths: [] });
});

test('takes the word of a part, or several in the order of the parts', () => {
  expect(of('check').parts).toEqual(['check']);
  expect(of('workerd', 'unit').parts).toEqual(['unit', 'workerd']);
});

test('takes a path to the projects that hold it', () => {
  expect(of('schema/protocol/codec/decode.test.ts')).toEqual({
    parts: ['unit'],
    paths: ['schema/protocol/codec/decode.test.ts'],
  });
  expect(of('./test/conformance/').parts).toEqual(['conformance', 'conformance-workerd']);
  expect(of('test/e2e/watch.test.ts').parts).toEqual(['e2e']);
});

test('takes a folder above several projects to all of them', () => {
  expect(of('test').parts).toEqual(['conformance', 'conformance-workerd', 'simulation', 'workerd', 'e2e', 'waiting']);
});

test('does not take a neighbour whose name begins alike', () => {
  expect(of('test/e2e-old/x.ts').parts).toEqual([]);
});

test('takes any other word for the name of a test', () => {
  expect(of('round trip', 'drain')).toEqual({ parts: PARTS.slice(1), paths: [], name: 'round trip|drain' });
});

test('narrows a part by a name', () => {
  expect(of('unit', 'drain')).toEqual({ parts: ['unit'], paths: [], name: 'drain' });
});

test('a part is whole until it is narrowed to a file or a name', () => {
  expect([of(), of('e2e'), of('unit', 'drain'), of('schema'), of('drain')].map(isWhole)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
