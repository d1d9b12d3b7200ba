import { expect, test } from 'vitest';
import * as z from 'zod';
import { plain, REDACTED, redacted, redactedObject } from './redact.ts';

const Name = plain(z.string().regex(/^[a-z]+$/));

test('what is written: numbers, booleans, words of an enumeration, and texts that are marked', () => {
  const schema = z.strictObject({
    name: Name,
    again: Name.optional(),
    role: z.enum(['owner', 'member']),
    kind: z.literal('x'),
    ttl: z.string().transform(Number).pipe(z.int()).default(5),
    on: z.boolean(),
    nothing: Name.nullable(),
    described: Name.describe('a name').max(9),
    sorted: z.array(z.enum(['a', 'b'])).transform((given) => given.toSorted()),
    absent: z.string().optional(),
  });
  const value = {
    name: 'ada',
    again: 'bob',
    role: 'owner',
    kind: 'x',
    ttl: 9,
    on: false,
    nothing: null,
    described: 'eve',
    sorted: ['a', 'b'],
  };
  expect(redactedObject(schema, value)).toEqual(value);
});

test('a text that nobody marked is redacted, however it is wrapped', () => {
  const schema = z.object({
    password: z.string(),
    clientSecret: z.string().optional().default('a'),
    nested: z.object({ name: Name, token: z.string() }),
    list: z.array(z.string()),
    named: z.array(Name),
    replaced: z.enum(['a', 'b']).transform(() => 'hunter2'),
    trimmed: z.string().transform((text) => text.trim()),
    either: z.union([z.number(), z.string()]),
    any: z.unknown(),
    record: z.record(z.string(), z.string()),
    tuple: z.tuple([Name]),
  });
  const value = {
    password: 'hunter2',
    clientSecret: 'hunter2',
    nested: { name: 'ada', token: 'hunter2' },
    list: ['hunter2'],
    named: ['ada'],
    replaced: 'hunter2',
    trimmed: 'hunter2',
    either: 'hunter2',
    any: { x: 'hunter2' },
    record: { hunter2: 'hunter2' },
    tuple: ['hunter2'],
  };
  const written = redactedObject(schema, value);
  expect(JSON.stringify(written)).not.toContain('hunter2');
  expect(written).toMatchObject({ password: REDACTED, nested: { name: 'ada', token: REDACTED }, named: ['ada'] });
});

test('what the schema does not name is dropped', () => {
  expect(redactedObject(z.looseObject({ name: Name }), { name: 'ada', more: 'hunter2', __proto__: { x: 1 } })).toEqual({
    name: 'ada',
  });
  expect(redactedObject(z.object({ toString: Name }), {})).toEqual({});
  expect(redactedObject(z.object({ name: Name }), 'hunter2')).toEqual({});
});

test('of a union the option that fits says what is written', () => {
  const schema = z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('open'), value: Name }),
    z.object({ kind: z.literal('secret'), value: z.string() }),
  ]);
  expect(redacted(schema, { kind: 'open', value: 'ada' })).toEqual({ kind: 'open', value: 'ada' });
  expect(redacted(schema, { kind: 'secret', value: 'ada' })).toEqual({ kind: 'secret', value: REDACTED });
});

test('a marked text that is long, and a long list, are cut', () => {
  expect(redacted(plain(z.string()), 'x'.repeat(1000))).toBe('x'.repeat(256));
  expect(
    redacted(
      z.array(z.int()),
      Array.from({ length: 1000 }, () => 1),
    ),
  ).toHaveLength(100);
});
