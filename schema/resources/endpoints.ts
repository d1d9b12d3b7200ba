import * as z from 'zod';
import type { Endpoint } from '../api/endpoint.ts';
import type { ErrorCode } from '../errors.ts';
import {
  createOf,
  itemOf,
  patchOf,
  resourceOf,
  selectable,
  type CreateOf,
  type ItemOf,
  type Kind,
  type PatchOf,
  type ResourceOf,
  type Verb,
} from './kind.ts';
import { pageOf, selectQuery, type SelectQuery } from './list.ts';

/** An endpoint of which more is known. */
type Known<E extends Partial<Endpoint>> = Omit<Endpoint, keyof E> & E;

type Params<K extends Kind> = z.ZodObject<Record<K['singular'], K['id']>>;

/** The endpoints of a kind, each by its verb. */
export interface EndpointsOf<K extends Kind> {
  readonly list: Known<{
    readonly query: SelectQuery<K['listing']>;
    readonly status: 200;
    readonly result: ReturnType<typeof pageOf<ItemOf<K>>>;
  }>;
  readonly get: Known<{ readonly params: Params<K>; readonly status: 200; readonly result: ResourceOf<K> }>;
  readonly create: Known<{ readonly body: CreateOf<K>; readonly status: 201; readonly result: ResourceOf<K> }>;
  readonly patch: Known<{
    readonly params: Params<K>;
    readonly body: PatchOf<K>;
    readonly status: 200;
    readonly result: ResourceOf<K>;
  }>;
  readonly delete: Known<{ readonly params: Params<K>; readonly status: 204 }>;
  readonly actions: {
    readonly [A in keyof K['actions']]: Known<{
      readonly params: Params<K>;
      readonly body: K['actions'][A]['body'];
      readonly status: 200;
      readonly result: ResourceOf<K>;
    }>;
  };
}

const ERRORS: Readonly<Record<Verb, readonly ErrorCode[]>> = {
  list: [],
  get: ['not_found'],
  create: ['conflict'],
  patch: ['not_found', 'conflict'],
  delete: ['not_found', 'conflict'],
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** The endpoints that a kind has, as `workers/resources/mount.ts` serves them and a client asks them. */
export function endpointsOf<const K extends Kind>(kind: K): EndpointsOf<K> {
  const { singular, plural, path } = kind;
  const params = z.object({ [singular]: kind.id });
  const one: Endpoint['path'] = `${path}/{${singular}}`;
  const result = resourceOf(kind);
  const common = (verb: Verb) => ({
    operation: `${verb === 'patch' ? 'update' : verb}${capital(verb === 'list' ? plural : singular)}`,
    summary: kind.summaries[verb],
    ...kind.permissions[verb],
    errors: [...ERRORS[verb], ...(kind.errors[verb] ?? [])],
  });
  const actions = Object.entries(kind.actions).map(([name, action]): [string, Endpoint] => [
    name,
    {
      ...action,
      method: 'POST',
      path: `${one}/${name}`,
      params,
      status: 200,
      result,
      errors: ['not_found', ...action.errors],
    },
  ]);
  const endpoints = {
    list: {
      ...common('list'),
      method: 'GET',
      path,
      query: selectQuery(kind.listing, selectable(kind)),
      status: 200,
      result: pageOf(itemOf(kind)),
    },
    get: { ...common('get'), method: 'GET', path: one, params, status: 200, result },
    create: { ...common('create'), method: 'POST', path, body: createOf(kind), status: 201, result },
    patch: { ...common('patch'), method: 'PATCH', path: one, params, body: patchOf(kind), status: 200, result },
    delete: { ...common('delete'), method: 'DELETE', path: one, params, status: 204 },
    actions: Object.fromEntries(actions),
  } satisfies Record<Verb, Endpoint> & { actions: Record<string, Endpoint> };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is any string to TypeScript, and so are an object's entries
  return endpoints as unknown as EndpointsOf<K>;
}
