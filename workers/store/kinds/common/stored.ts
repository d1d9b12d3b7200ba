import * as z from 'zod';
import type { Condition } from '#schema/resources/metadata.ts';
import type { Commit } from '../../rights/access.ts';

/** A resource as a store knows it. Moments: epoch seconds. */
export interface Stored<Spec = unknown, Status = unknown> {
  readonly id: string;
  /** Empty where its kind has no names. */
  readonly name: string;
  readonly generation: number;
  readonly resourceVersion: number;
  readonly createdAt: number;
  readonly finalizers: readonly string[];
  /** When its deletion began; null: it is not being deleted. */
  readonly deletedAt: number | null;
  /** What its kind's metadata have beside these. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly spec: Spec;
  readonly status: Status;
  readonly conditions: readonly z.input<typeof Condition>[];
}

/** What a write needs. */
export interface Writing {
  readonly db: D1Database;
  readonly commit: Commit;
  /** Epoch seconds. */
  readonly now: number;
}

/** A resource as it is to be; `before` is what the change was decided on, and must still be so. */
export interface Change<Spec> {
  readonly before: Stored<Spec>;
  readonly name: string;
  readonly spec: Spec;
  readonly finalizers: readonly string[];
  /** One more than before where the spec is another. */
  readonly generation: number;
}

/**
 * What became of a write. `stale`: the resource is not what it was, or is gone. `taken`: another one has the name. `refused`: the kind's own rule is against it. In
 * all but `done` nothing was changed.
 */
export type Outcome = 'done' | 'stale' | 'taken' | 'refused';

/** The columns that every resource's table has, beside `id` and its name. */
export const RESOURCE_COLUMNS = 'generation, resource_version, created_at, finalizers, deleted_at';

/** {@link RESOURCE_COLUMNS}, decoded. */
export const ResourceRow = z.object({
  id: z.string(),
  generation: z.int(),
  resource_version: z.int(),
  created_at: z.int(),
  finalizers: z
    .string()
    .transform((text) => JSON.parse(text) as unknown)
    .pipe(z.array(z.string())),
  deleted_at: z.int().nullable(),
});

/** What {@link Stored} has of them. */
export const metadataOf = (row: z.output<typeof ResourceRow>) => ({
  id: row.id,
  generation: row.generation,
  resourceVersion: row.resource_version,
  createdAt: row.created_at,
  finalizers: row.finalizers,
  deletedAt: row.deleted_at,
});

const Version = z.object({ resource_version: z.int() });

/** Why a write that asked for the version it had seen changed nothing, from `SELECT resource_version` in the same transaction. */
export function unchanged(before: Stored, version: D1Result | undefined): Outcome {
  const [now] = z.array(Version).parse(version?.results ?? []);
  return now?.resource_version === before.resourceVersion ? 'refused' : 'stale';
}
