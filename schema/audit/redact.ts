import * as z from 'zod';

/** Schemas of texts that may be written down. */
const plainTexts = z.registry<{ readonly written: true }>();

/**
 * Marks a text as no secret: what is sent for it may be written into the audit log. Every other text is redacted, so that a field which nobody thought of is not a leak. What is derived
 * from it by a further check or a description is marked too.
 */
export function plain<T extends z.ZodType>(schema: T): T {
  plainTexts.add(schema, { written: true });
  return schema;
}

/** In the place of a value. */
export const REDACTED = '[redacted]';

const MAX_TEXT = 256;
const MAX_ITEMS = 100;

/**
 * What may be written of a value that was parsed by a schema: numbers, booleans, words of an enumeration, and texts marked {@link plain}. What the schema does not name is dropped,
 * and so is what a schema of a kind that is not known here would say.
 */
export function redacted(schema: z.ZodType, value: unknown): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (plainTexts.get(schema) !== undefined) return typeof value === 'string' ? value.slice(0, MAX_TEXT) : REDACTED;
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral) {
    return schema.safeParse(value).success ? value : REDACTED;
  }
  if (schema instanceof z.ZodObject) return redactedObject(schema, value);
  if (schema instanceof z.ZodArray) {
    const { element } = schema;
    if (!Array.isArray(value) || !(element instanceof z.ZodType)) return REDACTED;
    return value.slice(0, MAX_ITEMS).map((item) => redacted(element, item));
  }
  if (schema instanceof z.ZodUnion) {
    const option = schema.options.find(
      (one): one is z.ZodType => one instanceof z.ZodType && one.safeParse(value).success,
    );
    return option === undefined ? REDACTED : redacted(option, value);
  }
  const inner = within(schema);
  return inner === null ? REDACTED : redacted(inner, value);
}

/** The same for the fields of an object. */
export function redactedObject(schema: z.ZodObject, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  const given = new Map<string, unknown>(Object.entries(value));
  const fields = Object.entries(schema.shape).flatMap(([key, field]): [string, unknown][] => {
    const sent = given.get(key);
    return sent === undefined ? [] : [[key, field instanceof z.ZodType ? redacted(field, sent) : REDACTED]];
  });
  return Object.fromEntries(fields);
}

/** The schema inside one that only says when there is a value, or what comes before it. */
function within(schema: z.ZodType): z.ZodType | null {
  const wraps =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly;
  const inner: unknown = wraps ? schema.def.innerType : schema instanceof z.ZodPipe ? told(schema) : null;
  return inner instanceof z.ZodType ? inner : null;
}

/** What a pipe says of its result; where a function made that, what it was made of says it. */
function told(pipe: z.ZodPipe): unknown {
  return pipe.def.out instanceof z.ZodTransform ? pipe.def.in : pipe.def.out;
}
