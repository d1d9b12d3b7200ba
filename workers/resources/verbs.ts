import type * as z from 'zod';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import type { Kind } from '#schema/resources/kind.ts';
import { nextPage, readList } from '#schema/resources/list.ts';
import { etagOf, type Precondition } from '#schema/resources/precondition.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Outcome, Stored } from '../store/kinds/common/stored.ts';
import { decide, refuseUnmet, stale, type Patch } from './change.ts';
import { render, select } from './render.ts';
import type { Hooks, Storage, View } from './storage.ts';

/** How often a change is decided anew because others changed the resource at the same moment; Kubernetes' patch handler tries as often. */
const MAX_DECISIONS = 5;

type Resource = Stored<Record<string, unknown>, Record<string, unknown>>;

// What the schemas of a kind's endpoints make of a request.
export interface One {
  readonly params: Readonly<Record<string, string>>;
}
export interface Conditional {
  readonly headers: { readonly 'if-match'?: Precondition };
}
export interface Listed extends One {
  readonly query: {
    readonly limit: number;
    readonly sort: string;
    readonly continue?: string;
    readonly fields?: readonly string[];
  };
}
export interface Created extends One {
  readonly body: { readonly metadata?: { readonly name: string }; readonly spec: Record<string, unknown> };
}
export interface Patched extends One, Conditional {
  readonly body: Patch;
}
export interface Acted extends One, Conditional {
  readonly body: Record<string, unknown>;
}

/** As {@link Storage} and {@link Hooks} are for a kind that has everything. */
export type Verbed = Kind & {
  readonly verbs: Required<Kind['verbs']>;
  readonly lists: NonNullable<Kind['lists']>;
  readonly within: z.ZodObject;
};

/** A kind whose own types were checked where `mount` was called. */
export interface Mounted {
  readonly kind: Kind;
  readonly storage: Storage<Verbed>;
  readonly hooks: Hooks<Kind>;
}

/** All that stands in the path but the resource itself. */
function viewOf({ kind }: Mounted, { params }: One, { now }: Deps, caller: KnownCaller): View<Record<string, string>> {
  const { [kind.singular]: _id, ...within } = params;
  return { within, caller, now };
}

async function found(
  { kind, storage }: Mounted,
  { params }: One,
  { db }: Deps,
  view: View<Record<string, string>>,
): Promise<Resource> {
  const stored = await storage.find(db, params[kind.singular] ?? '', view);
  if (stored === null) throw missing(kind);
  return stored;
}

const missing = ({ singular, missing: code }: Kind): OutriderError =>
  code === 'unknown_cluster'
    ? unknownCluster()
    : new OutriderError(code ?? 'not_found', `there is no such ${singular}`);

/** A resource in an answer about it alone, whose ETag it gives. */
async function shown(
  { kind, hooks }: Mounted,
  stored: Resource,
  deps: Deps,
  { within }: View<object>,
): Promise<Record<string, unknown>> {
  deps.answer.set('etag', etagOf(stored.resourceVersion));
  return render(kind, hooks.observe === undefined ? stored : await hooks.observe(stored, deps), within);
}

/** A page of a list; `page` is where the storage has it. */
export async function list(
  mounted: Mounted,
  page: Storage<Verbed>['list'],
  input: Listed,
  deps: Deps,
  caller: KnownCaller,
): Promise<unknown> {
  const { kind } = mounted;
  const { fields } = input.query;
  const request = readList(kind.listing, input.query);
  const view = viewOf(mounted, input, deps, caller);
  const { items, next } = await page(deps.db, request, view);
  return {
    items: items
      .map((stored) => render(kind, stored, view.within))
      .map((resource) => (fields === undefined ? resource : select(resource, fields))),
    continue: nextPage(request, next),
  };
}

const nameTaken = (kind: Kind, name: string): OutriderError =>
  new OutriderError('conflict', `there is a ${kind.singular} named ${name} already`);

/** One resource. */
export async function get(mounted: Mounted, input: One, deps: Deps, caller: KnownCaller): Promise<unknown> {
  const view = viewOf(mounted, input, deps, caller);
  return await shown(mounted, await found(mounted, input, deps, view), deps, view);
}

/** Makes a resource, and shows what is shown once. */
export async function create(mounted: Mounted, input: Created, deps: Deps, caller: KnownCaller): Promise<unknown> {
  const { kind, storage, hooks } = mounted;
  const { metadata, spec } = input.body;
  const name = metadata?.name ?? '';
  const view = viewOf(mounted, input, deps, caller);
  const made: { readonly id: string; readonly once: object } | string | null = await hooks.create(
    { name, spec, within: view.within },
    deps,
    caller,
  );
  if (made === null) throw nameTaken(kind, name);
  const { id, once } = typeof made === 'string' ? { id: made, once: {} } : made;
  const stored = await storage.find(deps.db, id, view);
  if (stored === null) throw new OutriderError('conflict', 'it was removed as soon as it was made');
  return { ...(await shown(mounted, stored, deps, view)), ...once };
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

/** A PATCH that names no version is decided anew on what is there now; one that names a version is then refused by {@link refuseUnmet} or {@link decide}. */
export async function patch(mounted: Mounted, input: Patched, deps: Deps, caller: KnownCaller): Promise<unknown> {
  const { kind, storage, hooks } = mounted;
  const view = viewOf(mounted, input, deps, caller);
  for (let tries = 0; tries < MAX_DECISIONS; tries++) {
    const before = await found(mounted, input, deps, view);
    refuseUnmet(before, input.headers['if-match']);
    const decision = decide(before, input.body);
    if (decision === 'nothing') return await shown(mounted, before, deps, view);
    await hooks.guard?.(before, decision === 'remove' ? null : decision, deps, caller, view.within);
    if (decision === 'remove') {
      if (settled(mounted, await storage.remove(deps, before, view), before.name))
        return render(kind, { ...before, finalizers: [] }, view.within);
    } else if (settled(mounted, await storage.update(deps, decision, view), decision.name)) {
      return await shown(mounted, await found(mounted, input, deps, view), deps, view);
    }
  }
  throw stale();
}

/** A DELETE removes a resource, or, where there are finalizers, begins to. */
export async function remove(
  mounted: Mounted,
  input: One & Conditional,
  deps: Deps,
  caller: KnownCaller,
): Promise<undefined> {
  const { storage, hooks } = mounted;
  const view = viewOf(mounted, input, deps, caller);
  for (let tries = 0; tries < MAX_DECISIONS; tries++) {
    const before = await found(mounted, input, deps, view);
    refuseUnmet(before, input.headers['if-match']);
    await hooks.guard?.(before, null, deps, caller, view.within);
    const waits = before.finalizers.length > 0;
    if (waits && before.deletedAt !== null) return undefined;
    const outcome = waits ? await storage.retire(deps, before, view) : await storage.remove(deps, before, view);
    if (settled(mounted, outcome, before.name)) return undefined;
  }
  throw stale();
}

/** Does what one kind alone can do. */
export async function act(
  mounted: Mounted,
  name: string,
  input: Acted,
  deps: Deps,
  caller: KnownCaller,
): Promise<unknown> {
  const action = mounted.hooks.actions[name];
  if (action === undefined) throw new Error(`the action ${name} is declared and not there`);
  const precondition = input.headers['if-match'];
  const view = viewOf(mounted, input, deps, caller);
  for (let tries = 0; tries < MAX_DECISIONS; tries++) {
    const before = await found(mounted, input, deps, view);
    refuseUnmet(before, precondition);
    if (before.deletedAt !== null) throw new OutriderError('conflict', 'it is being deleted');
    await mounted.hooks.guard?.(before, null, deps, caller, view.within);
    const seen = Array.isArray(precondition) ? before.resourceVersion : null;
    if ((await action(before, input.body, deps, caller, seen)) === 'done') {
      return await shown(mounted, await found(mounted, input, deps, view), deps, view);
    }
  }
  throw stale();
}
