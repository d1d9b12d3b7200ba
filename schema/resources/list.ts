import * as z from 'zod';
import { OutriderError } from '../errors.ts';
import { decodeContinue, encodeContinue, MAX_CONTINUE_LENGTH, type Position } from './continue.ts';

/** A value that a list is filtered by. */
type FilterValue = string | boolean;

/** What a list may do with one field. */
export interface Field {
  /** Reads `?field=value`, which the field must equal. */
  readonly filter?: z.ZodType<FilterValue, string>;
  /** Whether the list may be in its order, and what its values are. Such a field is never null. */
  readonly sort?: 'text' | 'number';
}

/** How a collection can be listed: a table that is read by the query's schema, by its page in the OpenAPI document and by the store. */
export interface Listing {
  readonly fields: Readonly<Record<string, Field>>;
  /** The order of a list that asks for none: a field that can be sorted by, `-` before it for the reverse. */
  readonly order: string;
}

/** A list's next page is asked for by whoever can wait; what one answer costs is bounded. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
/** Names of some twenty fields. */
const MAX_FIELDS_LENGTH = 1024;
const MAX_FILTER_LENGTH = 128;

/** `?field=true` and `?field=false`. */
export const flagFilter = z.enum(['true', 'false']).transform((text) => text === 'true');

/** `?field=some text`. */
export const textFilter = z
  .string()
  .min(1)
  .max(MAX_FILTER_LENGTH)
  .regex(/^[^\p{Cc}]*$/u, 'no control characters are expected');

const limit = z
  .string()
  .regex(/^\d{1,4}$/, 'a number is expected')
  .transform(Number)
  .pipe(z.int().min(1).max(MAX_LIMIT))
  .default(DEFAULT_LIMIT)
  .describe(`How many at most; ${DEFAULT_LIMIT} unless said, ${MAX_LIMIT} at most`);

type Text = z.ZodOptional<z.ZodString>;

/** The query of a list, as its schema is typed. */
export type ListQuery<L extends Listing = Listing> = z.ZodObject<
  { limit: z.ZodDefault<z.ZodType<number, string>>; continue: Text; sort: z.ZodDefault<z.ZodType<string, string>> } & {
    [F in keyof L['fields'] as L['fields'][F] extends { readonly filter: z.ZodType } ? F : never]: z.ZodOptional<
      z.ZodType<FilterValue, string>
    >;
  },
  z.core.$strict
>;

/** The query of a list that can also leave fields out. */
export type SelectQuery<L extends Listing = Listing> = z.ZodObject<
  ListQuery<L>['shape'] & { fields: z.ZodOptional<z.ZodType<readonly string[], string>> },
  z.core.$strict
>;

const sortable = ({ fields }: Listing): string[] =>
  Object.entries(fields).flatMap(([name, { sort }]) => (sort === undefined ? [] : [name, `-${name}`]));

/** The schema of a list's query: `?limit=&continue=&sort=&<field>=`. */
export function listQuery<const L extends Listing>(listing: L): ListQuery<L> {
  const filters = Object.entries(listing.fields).flatMap(([name, { filter }]) =>
    filter === undefined ? [] : [[name, filter.optional()] as const],
  );
  const shape = {
    limit,
    continue: z
      .string()
      .min(1)
      .max(MAX_CONTINUE_LENGTH)
      .optional()
      .describe('From the page before; with the same sort and filters'),
    sort: z.enum(sortable(listing)).default(listing.order).describe('"-" before a field: the reverse'),
    ...Object.fromEntries(filters),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the filters' names are those that the type computes
  return z.strictObject(shape) as unknown as ListQuery<L>;
}

/** The same with `?fields=`: a list of paths, of which each is one of `paths`. */
export function selectQuery<const L extends Listing>(listing: L, paths: readonly string[]): SelectQuery<L> {
  const fields = z
    .string()
    .max(MAX_FIELDS_LENGTH)
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(paths)))
    .optional()
    .describe(`What of each item is wanted, with commas between: ${paths.join(', ')}. Its id always comes along`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return z.strictObject({ ...listQuery(listing).shape, fields }) as unknown as SelectQuery<L>;
}

/** A page that is asked for, as a store reads it. */
export interface ListRequest {
  readonly filters: Readonly<Record<string, FilterValue>>;
  readonly sort: string;
  readonly descending: boolean;
  readonly limit: number;
  /** The last item of the page before; null: from the beginning. */
  readonly after: Position | null;
}

/** What a list was asked for, from its checked query. @throws OutriderError invalid: the continue token is none of this list */
export function readList(
  listing: Listing,
  query: { readonly limit: number; readonly sort: string; readonly continue?: string | undefined },
): ListRequest {
  const given: Readonly<Record<string, unknown>> = query;
  const filters: Record<string, FilterValue> = {};
  for (const name of Object.keys(listing.fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (typeof value === 'string' || typeof value === 'boolean') filters[name] = value;
  }
  const descending = query.sort.startsWith('-');
  const sort = descending ? query.sort.slice(1) : query.sort;
  const request = { filters, sort, descending, limit: query.limit, after: null };
  if (query.continue === undefined) return request;
  const after = decodeContinue(query.continue, contextOf(request));
  if (after === null || typeof after.value !== (listing.fields[sort]?.sort === 'number' ? 'number' : 'string')) {
    throw new OutriderError(
      'invalid',
      'continue: not a token of this list with this sort and these filters; begin again without it',
    );
  }
  return { ...request, after };
}

/** The token by which the next page is asked for; null: there is none. */
export const nextPage = (request: ListRequest, next: Position | null): string | null =>
  next === null ? null : encodeContinue(next, contextOf(request));

/** What two pages of one list have in common. */
const contextOf = ({ sort, descending, filters }: ListRequest): string =>
  JSON.stringify([sort, descending, Object.entries(filters).toSorted(([a], [b]) => (a < b ? -1 : 1))]);

/** The one envelope of lists that page. */
export const pageOf = <T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; continue: z.ZodNullable<z.ZodString> }> =>
  z.object({
    items: z.array(item),
    continue: z.string().nullable().describe('Send it as ?continue= for the next page; null: this is the last'),
  });
