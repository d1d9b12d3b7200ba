import type { Endpoint } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import type { Kind } from '#schema/resources/kind.ts';
import { nextPage, readList } from '#schema/resources/list.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Route } from '../api/route.ts';
import type { Outcome, Stored } from '../store/kinds/stored.ts';
import { decide, stale, type Patch } from './change.ts';
import { render, select } from './render.ts';
import type { Hooks, Storage } from './storage.ts';

/** How often a change is decided anew because others changed the resource at the same moment; Kubernetes' patch handler tries as often. */
const MAX_DECISIONS = 5;

type Resource = Stored<Record<string, unknown>, Record<string, unknown>>;

// What the schemas of a kind's endpoints make of a request.
interface One {
  readonly params: Readonly<Record<string, string>>;
}
interface Listed {
  readonly query: {
    readonly limit: number;
    readonly sort: string;
    readonly continue?: string;
    readonly fields?: readonly string[];
  };
}
interface Created {
  readonly body: { readonly metadata: { readonly name: string }; readonly spec: Record<string, unknown> };
}
interface Patched extends One {
  readonly body: Patch;
}
interface Acted extends One {
  readonly body: Record<string, unknown>;
}

type Handle<Input> = (input: Input, deps: Deps, caller: KnownCaller) => Promise<unknown>;

/** Pairs an endpoint of a kind with what it does; the endpoint says what its handler gets. */
const served = (endpoint: Endpoint, handler: Handle<never>): Route => ({
  endpoint,
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as in api/route.ts: TypeScript cannot tie the two together
  handler: handler as unknown as Route['handler'],
});

/** A kind whose own types were checked where {@link mount} was called. */
interface Mounted {
  readonly kind: Kind;
  readonly storage: Storage<Kind>;
  readonly hooks: Hooks<Kind>;
}

/** The routes of a kind: what its declaration says, over its storage, with what only the kind knows. */
export function mount<const K extends Kind>(kind: K, storage: Storage<K>, hooks: Hooks<K>): Route[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- from here on a kind is any kind: its own schemas check what goes in and out
  const mounted = { kind, storage, hooks } as unknown as Mounted;
  const endpoints = endpointsOf<Kind>(kind);
  return [
    served(endpoints.list, async (input: Listed, deps) => await list(mounted, input, deps)),
    served(endpoints.create, async (input: Created, deps, caller) => await create(mounted, input, deps, caller)),
    served(endpoints.get, async (input: One, deps) => render(kind, await found(mounted, input, deps))),
    served(endpoints.patch, async (input: Patched, deps, caller) => await patch(mounted, input, deps, caller)),
    served(endpoints.delete, async (input: One, deps, caller) => await remove(mounted, input, deps, caller)),
    ...Object.entries(endpoints.actions).map(([name, endpoint]) =>
      served(endpoint, async (input: Acted, deps, caller) => await act(mounted, name, input, deps, caller)),
    ),
  ];
}

async function found({ kind, storage }: Mounted, { params }: One, { db }: Deps): Promise<Resource> {
  const stored = await storage.find(db, params[kind.singular] ?? '');
  if (stored === null) throw new OutriderError('not_found', `there is no such ${kind.singular}`);
  return stored;
}

async function list({ kind, storage }: Mounted, { query }: Listed, { db }: Deps): Promise<unknown> {
  const request = readList(kind.listing, query);
  const { items, next } = await storage.list(db, request);
  const { fields } = query;
  return {
    items: items
      .map((stored) => render(kind, stored))
      .map((resource) => (fields === undefined ? resource : select(resource, fields))),
    continue: nextPage(request, next),
  };
}

const nameTaken = (kind: Kind, name: string): OutriderError =>
  new OutriderError('conflict', `there is a ${kind.singular} named ${name} already`);

async function create(
  { kind, storage, hooks }: Mounted,
  { body }: Created,
  deps: Deps,
  caller: KnownCaller,
): Promise<unknown> {
  const { metadata, spec } = body;
  const id = await hooks.create({ name: metadata.name, spec }, deps, caller);
  if (id === null) throw nameTaken(kind, metadata.name);
  const stored = await storage.find(deps.db, id);
  if (stored === null) throw new OutriderError('conflict', 'it was removed as soon as it was made');
  return render(kind, stored);
}

/** Throws what an outcome means to the caller; false: look again and decide anew. */
function settled({ kind, hooks }: Mounted, outcome: Outcome, name: string): boolean {
  switch (outcome) {
    case 'done':
      return true;
    case 'stale':
      return false;
    case 'taken':
      throw nameTaken(kind, name);
    case 'refused':
      throw new OutriderError('conflict', hooks.refusal ?? `this ${kind.singular} cannot be changed so`);
  }
}

/** A PATCH that names no version is decided anew on what is there now; one that names a version is then refused by {@link decide}. */
async function patch(mounted: Mounted, input: Patched, deps: Deps, caller: KnownCaller): Promise<unknown> {
  const { kind, storage, hooks } = mounted;
  for (let tries = 0; tries < MAX_DECISIONS; tries++) {
    const before = await found(mounted, input, deps);
    const decision = decide(before, input.body);
    if (decision === 'nothing') return render(kind, before);
    await hooks.guard?.(before, decision === 'remove' ? null : decision, deps, caller);
    if (decision === 'remove') {
      if (settled(mounted, await storage.remove(deps, before), before.name))
        return render(kind, { ...before, finalizers: [] });
    } else if (settled(mounted, await storage.update(deps, decision), decision.name)) {
      return render(kind, await found(mounted, input, deps));
    }
  }
  throw stale();
}

async function remove(mounted: Mounted, input: One, deps: Deps, caller: KnownCaller): Promise<undefined> {
  const { storage, hooks } = mounted;
  for (let tries = 0; tries < MAX_DECISIONS; tries++) {
    const before = await found(mounted, input, deps);
    await hooks.guard?.(before, null, deps, caller);
    const waits = before.finalizers.length > 0;
    if (waits && before.deletedAt !== null) return undefined;
    const outcome = waits ? await storage.retire(deps, before) : await storage.remove(deps, before);
    if (settled(mounted, outcome, before.name)) return undefined;
  }
  throw stale();
}

async function act(mounted: Mounted, name: string, input: Acted, deps: Deps, caller: KnownCaller): Promise<unknown> {
  const action = mounted.hooks.actions[name];
  if (action === undefined) throw new Error(`the action ${name} is declared and not there`);
  const before = await found(mounted, input, deps);
  if (before.deletedAt !== null) throw new OutriderError('conflict', 'it is being deleted');
  await mounted.hooks.guard?.(before, null, deps, caller);
  await action(before, input.body, deps, caller);
  return render(mounted.kind, await found(mounted, input, deps));
}
