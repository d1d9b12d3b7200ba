import { expect, test } from 'vitest';
import type { Stored } from '../store/kinds/common/stored.ts';
import { decide, refuseUnmet, type Patch } from './change.ts';

const stored = (change: Partial<Stored<Record<string, unknown>>> = {}): Stored<Record<string, unknown>> => ({
  id: 'x',
  name: 'name',
  generation: 3,
  resourceVersion: 7,
  createdAt: 0,
  finalizers: [],
  deletedAt: null,
  spec: { size: 1, open: false },
  status: {},
  conditions: [],
  ...change,
});

const refusal = (before: ReturnType<typeof stored>, patch: Patch): unknown => {
  try {
    return decide(before, patch);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test('what is left out stays, and a changed spec is a new generation', () => {
  expect(decide(stored(), { spec: { open: true } })).toMatchObject({
    spec: { size: 1, open: true },
    name: 'name',
    generation: 4,
  });
});

test('a change that changes nothing is none', () => {
  for (const patch of [
    {},
    { spec: {} },
    { spec: { open: false } },
    { spec: { open: undefined } },
    { metadata: { name: 'name', finalizers: [] } },
  ]) {
    expect(decide(stored(), patch)).toBe('nothing');
  }
});

test('a name or a finalizer is no new generation', () => {
  expect(decide(stored(), { metadata: { name: 'other' } })).toMatchObject({ name: 'other', generation: 3 });
  expect(decide(stored(), { metadata: { finalizers: ['a.b/c'] } })).toMatchObject({
    finalizers: ['a.b/c'],
    generation: 3,
  });
});

test('whoever changes what they have not seen is told, also where the change would come to nothing', () => {
  expect(refusal(stored(), { metadata: { resourceVersion: '6' }, spec: { open: true } })).toBe('conflict');
  expect(refusal(stored(), { metadata: { resourceVersion: '6' } })).toBe('conflict');
  expect(refusal(stored(), { metadata: { resourceVersion: '07' }, spec: { open: true } })).toBe('conflict');
  expect(refusal(stored(), { metadata: { resourceVersion: '7' }, spec: { open: true } })).toMatchObject({
    generation: 4,
  });
});

test('while it is being deleted finalizers go one by one, and with the last the resource', () => {
  const deleting = stored({ deletedAt: 1, finalizers: ['a.b/c', 'a.b/d'] });
  expect(decide(deleting, { metadata: { finalizers: ['a.b/d'] } })).toMatchObject({ finalizers: ['a.b/d'] });
  expect(decide(deleting, { metadata: { finalizers: [] } })).toBe('remove');
  expect(decide(deleting, {})).toBe('nothing');
  expect(refusal(deleting, { metadata: { finalizers: ['a.b/c', 'a.b/d', 'a.b/e'] } })).toBe('conflict');
  expect(refusal(deleting, { spec: { open: true } })).toBe('conflict');
  expect(refusal(deleting, { metadata: { name: 'other', finalizers: [] } })).toBe('conflict');
});

test('what is not as If-Match names it is not changed', () => {
  expect(() => refuseUnmet(stored(), ['6'])).toThrow(expect.objectContaining({ code: 'precondition_failed' }));
  expect(() => refuseUnmet(stored(), [])).toThrow(expect.objectContaining({ code: 'precondition_failed' }));
  for (const met of [undefined, '*', ['6', '7']] as const) expect(() => refuseUnmet(stored(), met)).not.toThrow();
});
