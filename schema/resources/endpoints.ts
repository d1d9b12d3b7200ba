import * as z from 'zod';
import type { Endpoint } from '../api/endpoint.ts';
import type { ErrorCode } from '../errors.ts';
import {
  createOf,
  itemOf,
  madeOf,
  patchOf,
  resourceOf,
  selectable,
  type CreateOf,
  type ItemOf,
  type Kind,
  type MadeOf,
  type PatchOf,
  type ResourceOf,
  type Verb,
} from './kind.ts';
import { pageOf, selectQuery, type SelectQuery } from './list.ts';
import { Preconditions } from './precondition.ts';

/** An endpoint of which more is known. */
type Known<E extends Partial<Endpoint>> = Omit<Endpoint, keyof E> & E;

type Within<K extends Kind> = K['within'] extends z.ZodObject<infer S> ? S : unknown;
type Params<K extends Kind> = z.ZodObject<Within<K> & Record<K['singular'], K['id']>>;
type Collection<K extends Kind> = K['within'] extends z.ZodObject ? { readonly params: K['within'] } : unknown;

interface ListOf<K extends Kind> {
  readonly query: SelectQuery<K['listing']>;
  readonly status: 200;
  readonly result: ReturnType<typeof pageOf<ItemOf<K>>>;
}

interface OneOf<K extends Kind> {
  readonly params: Params<K>;
  readonly status: 200;
  readonly result: ResourceOf<K>;
}

interface Conditional {
  readonly headers: typeof Preconditions;
}

interface VerbsOf<K extends Kind> {
  readonly list: Known<ListOf<K> & Collection<K>>;
  readonly get: Known<OneOf<K>>;
  readonly create: Known<
    { readonly body: CreateOf<K>; readonly status: 201; readonly result: MadeOf<K> } & Collection<K>
  >;
  readonly patch: Known<OneOf<K> & Conditional & { readonly body: PatchOf<K> }>;
  readonly delete: Known<Conditional & { readonly params: Params<K>; readonly status: 204 }>;
}

/** The endpoints of a kind, each by its verb. */
export type EndpointsOf<K extends Kind> = Pick<VerbsOf<K>, Verb & keyof K['verbs']> & {
  readonly lists: {
    readonly [L in keyof K['lists']]: Known<ListOf<K> & { readonly params: NonNullable<K['lists']>[L]['params'] }>;
  };
  readonly actions: {
    readonly [A in keyof K['actions']]: Known<
      OneOf<K> &
        Conditional &
        (K['actions'][A] extends { readonly body: infer B extends z.ZodObject } ? { readonly body: B } : unknown)
    >;
  };
};

/** Refusals of a verb of whatever kind; of those that are about one resource, beside that it is missing. */
const ERRORS: Readonly<Record<Verb, readonly ErrorCode[]>> = {
  list: [],
  get: [],
  create: ['conflict'],
  patch: ['conflict', 'precondition_failed'],
  delete: ['conflict', 'precondition_failed'],
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** The endpoints that a kind has, as `workers/resources/mount.ts` serves them and a client asks them. */
export function endpointsOf<const K extends Kind>(kind: K): EndpointsOf<K> {
  const { singular, plural, path, verbs, missing = 'not_found' } = kind;
  const collection = kind.within === undefined ? {} : { params: kind.within };
  const params = z.object({ ...kind.within?.shape, [singular]: kind.id });
  const one: Endpoint['path'] = `${path}/{${singular}}`;
  const result = resourceOf<Kind>(kind);
  const listed = {
    method: 'GET',
    query: selectQuery(kind.listing, selectable(kind)),
    status: 200,
    result: pageOf(itemOf<Kind>(kind)),
  } as const;
  const shapes = {
    list: { ...listed, path, ...collection },
    get: { method: 'GET', path: one, params, status: 200, result, etag: true },
    create: {
      method: 'POST',
      path,
      ...collection,
      body: createOf<Kind>(kind),
      status: 201,
      result: madeOf<Kind>(kind),
      etag: true,
    },
    patch: {
      method: 'PATCH',
      path: one,
      params,
      headers: Preconditions,
      body: patchOf<Kind>(kind),
      status: 200,
      result,
      etag: true,
    },
    delete: { method: 'DELETE', path: one, params, headers: Preconditions, status: 204 },
  } as const satisfies Record<Verb, Partial<Endpoint>>;
  const declared = Object.entries(shapes).flatMap(([name, shape]): [string, Endpoint][] => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an entry of what is by verb
    const verb = name as Verb;
    const row = verbs[verb];
    if (row === undefined) return [];
    const operation = `${verb === 'patch' ? 'update' : verb}${capital(verb === 'list' ? plural : singular)}`;
    const about: readonly ErrorCode[] = verb === 'list' || verb === 'create' ? [] : [missing];
    return [[verb, { operation, ...row, ...shape, errors: [...about, ...ERRORS[verb], ...(row.errors ?? [])] }]];
  });
  const lists = Object.entries(kind.lists ?? {}).map(([name, list]): [string, Endpoint] => [
    name,
    { ...list, ...listed, errors: list.errors ?? [] },
  ]);
  const actions = Object.entries(kind.actions).map(([name, action]): [string, Endpoint] => [
    name,
    {
      ...action,
      method: 'POST',
      path: `${one}/${name}`,
      params,
      headers: Preconditions,
      status: 200,
      result,
      etag: true,
      errors: [missing, ...ERRORS.patch, ...(action.errors ?? [])],
    },
  ]);
  const endpoints = {
    ...Object.fromEntries(declared),
    lists: Object.fromEntries(lists),
    actions: Object.fromEntries(actions),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is any string to TypeScript, and so are an object's entries
  return endpoints as unknown as EndpointsOf<K>;
}
