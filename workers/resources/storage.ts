import type * as z from 'zod';
import type { Kind } from '#schema/resources/kind.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Page } from '../store/kinds/list.ts';
import type { Change, Outcome, Stored, Writing } from '../store/kinds/stored.ts';

type SpecOf<K extends Kind> = z.output<K['spec']>;
type StoredOf<K extends Kind> = Stored<SpecOf<K>, z.input<K['status']>>;

/** What a kind's module in `workers/store` does. Every write is one transaction that asks for the version it was decided on. */
export interface Storage<K extends Kind> {
  list(db: D1Database, request: ListRequest): Promise<Page<StoredOf<K>>>;
  find(db: D1Database, id: string): Promise<StoredOf<K> | null>;
  update(writing: Writing, change: Change<SpecOf<K>>): Promise<Outcome>;
  /** Begins the deletion of a resource that has finalizers: it stops having any effect. */
  retire(writing: Writing, before: StoredOf<K>): Promise<Outcome>;
  /** Removes a resource and all that hangs on it. */
  remove(writing: Writing, before: StoredOf<K>): Promise<Outcome>;
}

/** What a kind decides for itself. Refusals are thrown as OutriderError. */
export interface Hooks<K extends Kind> {
  /** Makes a resource, of a checked body with its defaults. Returns its id; null: the name is taken. */
  create(asked: { name: string; spec: z.output<K['create']> }, deps: Deps, caller: KnownCaller): Promise<string | null>;
  /** Refuses a change, an action or a deletion to this caller, who may use the verb; `change` null: it is an action or a deletion. */
  guard?(before: StoredOf<K>, change: Change<SpecOf<K>> | null, deps: Deps, caller: KnownCaller): Promise<void>;
  /** Said when {@link Storage} answers `refused`; a kind without rules of its own has none. */
  readonly refusal?: string;
  readonly actions: {
    readonly [A in keyof K['actions']]: (
      resource: StoredOf<K>,
      body: z.output<K['actions'][A]['body']>,
      deps: Deps,
      caller: KnownCaller,
    ) => Promise<void>;
  };
}
