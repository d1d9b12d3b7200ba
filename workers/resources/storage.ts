import type * as z from 'zod';
import type { Kind, WithinOf } from '#schema/resources/kind.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Page } from '../store/kinds/common/list.ts';
import type { Change, Outcome, Stored, Writing } from '../store/kinds/common/stored.ts';

type SpecOf<K extends Kind> = z.output<K['spec']>;
type StoredOf<K extends Kind> = Stored<SpecOf<K>, z.input<K['status']>>;

/** Who asks for a resource, and where; a kind that is not everybody's shows each caller what is theirs. */
export interface View<Within = unknown> {
  /** What stood in the path of the collection. */
  readonly within: Within;
  readonly caller: KnownCaller;
  /** Epoch seconds. */
  readonly now: number;
}

type List<K extends Kind, Within> = (
  db: D1Database,
  request: ListRequest,
  view: View<Within>,
) => Promise<Page<StoredOf<K>>>;

interface Reads<K extends Kind> {
  readonly list: List<K, WithinOf<K>>;
  /** Also after a resource was made, and before every write. Null: there is none, or none for this caller. */
  find(db: D1Database, id: string, view: View<WithinOf<K>>): Promise<StoredOf<K> | null>;
}

interface Updates<K extends Kind> {
  update(writing: Writing, change: Change<SpecOf<K>>, view: View<WithinOf<K>>): Promise<Outcome>;
  /** Begins a deletion that waits for finalizers: what the resource has any effect on ends now. */
  retire(writing: Writing, before: StoredOf<K>, view: View<WithinOf<K>>): Promise<Outcome>;
}

interface Removes<K extends Kind> {
  remove(writing: Writing, before: StoredOf<K>, view: View<WithinOf<K>>): Promise<Outcome>;
}

interface FurtherLists<K extends Kind> {
  readonly lists: {
    readonly [L in keyof K['lists']]: List<K, z.output<NonNullable<K['lists']>[L]['params']>>;
  };
}

/** What a kind's module in `workers/store` does, as far as the kind has verbs for it. Every write is one transaction that asks for the version it was decided on. */
export type Storage<K extends Kind> = Reads<K> &
  ('patch' extends keyof K['verbs'] ? Updates<K> : unknown) &
  ('delete' extends keyof K['verbs'] ? Removes<K> : unknown) &
  (K['lists'] extends object ? FurtherLists<K> : unknown);

/** What was made: its id, and what is shown of it once, where the kind has that. */
type Made<K extends Kind> = K['once'] extends z.ZodType
  ? { readonly id: string; readonly once: z.input<K['once']> }
  : string;

/** What a kind decides for itself. Refusals are thrown as OutriderError. */
export interface Hooks<K extends Kind> {
  /** Makes a resource, of a checked body with its defaults; without a name where the kind has none. Null: the name is taken. */
  create(
    asked: { name: string; spec: z.output<K['create']>; within: WithinOf<K> },
    deps: Deps,
    caller: KnownCaller,
  ): Promise<Made<K> | null>;
  /** Refuses a change, an action or a deletion to this caller, who may use the verb; `change` null: it is an action or a deletion. */
  guard?(
    before: StoredOf<K>,
    change: Change<SpecOf<K>> | null,
    deps: Deps,
    caller: KnownCaller,
    within: WithinOf<K>,
  ): Promise<void>;
  /** Adds to a resource that is shown by itself what its storage does not know; lists do without. */
  observe?(stored: StoredOf<K>, deps: Deps): Promise<StoredOf<K>>;
  /** Said when {@link Storage} answers `refused`; a kind without rules of its own has none. */
  readonly refusal?: string;
  readonly actions: {
    /** `seen`: the version that the resource must still have, if not null; `stale`: it has another, or is gone or going, and nothing was done. */
    readonly [A in keyof K['actions']]: (
      resource: StoredOf<K>,
      body: K['actions'][A] extends { readonly body: infer B extends z.ZodType } ? z.output<B> : object,
      deps: Deps,
      caller: KnownCaller,
      seen: number | null,
    ) => Promise<'done' | 'stale'>;
  };
}
