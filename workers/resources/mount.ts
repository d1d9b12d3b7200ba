import type { Endpoint } from '#schema/api/endpoint.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import type { Kind, Verb } from '#schema/resources/kind.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Route } from '../api/route.ts';
import type { Hooks, Storage } from './storage.ts';
import {
  act,
  create,
  get,
  list,
  patch,
  remove,
  type Acted,
  type Conditional,
  type Created,
  type Listed,
  type Mounted,
  type One,
  type Patched,
  type Verbed,
} from './verbs.ts';

type Handle<Input> = (input: Input, deps: Deps, caller: KnownCaller) => Promise<unknown>;

/** Pairs an endpoint of a kind with what it does; the endpoint says what its handler gets. */
const served = (endpoint: Endpoint, handler: Handle<never>): Route => ({
  endpoint,
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in api/route.ts: TypeScript cannot tie the two together
  handler: handler as unknown as Route['handler'],
});

/** The routes of a kind: what its declaration says, over its storage, with what only the kind knows. */
export function mount<const K extends Kind>(kind: K, storage: Storage<K>, hooks: Hooks<K>): Route[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- from here on a kind is any kind: its own schemas check what goes in and out
  const mounted = { kind, storage, hooks } as unknown as Mounted;
  const { lists, actions, ...verbs } = endpointsOf<Kind>(kind);
  const handlers: Readonly<Record<Verb, Handle<never>>> = {
    list: async (input: Listed, deps, caller) => await list(mounted, mounted.storage.list, input, deps, caller),
    create: async (input: Created, deps, caller) => await create(mounted, input, deps, caller),
    get: async (input: One, deps, caller) => await get(mounted, input, deps, caller),
    patch: async (input: Patched, deps, caller) => await patch(mounted, input, deps, caller),
    delete: async (input: One & Conditional, deps, caller) => await remove(mounted, input, deps, caller),
  };
  const further: Readonly<Record<string, Storage<Verbed>['list'] | undefined>> = mounted.storage.lists;
  return [
    ...pairs(verbs, handlers),
    ...Object.entries<Endpoint>(lists).map(([name, endpoint]) =>
      served(endpoint, async (input: Listed, deps, caller) => {
        const page = further[name];
        if (page === undefined) throw new Error(`the list ${name} is declared and not there`);
        return await list(mounted, page, input, deps, caller);
      }),
    ),
    ...Object.entries<Endpoint>(actions).map(([name, endpoint]) =>
      served(endpoint, async (input: Acted, deps, caller) => await act(mounted, name, input, deps, caller)),
    ),
  ];
}

/** Those verbs that a kind has. */
const pairs = (
  endpoints: Readonly<Partial<Record<Verb, Endpoint>>>,
  handlers: Readonly<Record<Verb, Handle<never>>>,
): Route[] =>
  (['list', 'create', 'get', 'patch', 'delete'] as const).flatMap((verb) => {
    const endpoint = endpoints[verb];
    return endpoint === undefined ? [] : [served(endpoint, handlers[verb])];
  });
