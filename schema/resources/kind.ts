import * as z from 'zod';
import type { Scope, Who } from '../api/endpoint.ts';
import type { ErrorCode } from '../errors.ts';
import type { Listing } from './list.ts';
import { Condition, Finalizers, Metadata, ResourceVersion } from './metadata.ts';

/** What can be done with any kind. */
export type Verb = 'list' | 'get' | 'create' | 'patch' | 'delete';

/** Who may use a verb, and with which tokens; a resource is always asked for by a person. */
export interface Permission {
  readonly who: Exclude<Who, 'anyone' | 'operator'>;
  readonly scope: Scope;
}

/** What can be done with one kind alone: `POST <path>/{id}/<name>`, which answers with the resource. */
export interface Action extends Permission {
  /** OpenAPI operationId. */
  readonly operation: string;
  readonly summary: string;
  readonly body: z.ZodObject;
  readonly errors: readonly ErrorCode[];
}

interface Shape {
  /** As in Kubernetes: `User`. */
  readonly kind: string;
  /** In paths, names of operations and sentences. */
  readonly singular: string;
  readonly plural: string;
  /** Of the collection. */
  readonly path: `/${string}`;
  readonly id: z.ZodString;
  /** Of a new resource. Names are unique within a kind, whatever their case. */
  readonly name: z.ZodType<string, string>;
  /** Whether a PATCH may change the name. */
  readonly renamable: boolean;
  /** What its people want. */
  readonly spec: z.ZodObject;
  /** The spec of a new resource, with its defaults; and what is said once and never shown. */
  readonly create: z.ZodObject;
  /** What of the spec a PATCH may change, all of it optional. */
  readonly patch: z.ZodObject;
  /** What the plane has found out; `conditions` come along. */
  readonly status: z.ZodObject;
  readonly listing: Listing;
  readonly permissions: Readonly<Record<Verb, Permission>>;
  /** One sentence per verb, for the OpenAPI document. */
  readonly summaries: Readonly<Record<Verb, string>>;
  /** Refusals of a verb beside those that every kind has. */
  readonly errors: Partial<Readonly<Record<Verb, readonly ErrorCode[]>>>;
  /** By the last segment of their paths. */
  readonly actions: Readonly<Record<string, Action>>;
  /** Where else something of a resource is, by name: a path in which `{id}` stands for it. */
  readonly links: Readonly<Record<string, `/${string}`>>;
}

/** One kind of resource: routes, validation, permissions, OpenAPI and client come from this value. `README.md` beside it shows how to add one. */
export type Kind = Shape;

/** Declares a kind, keeping its exact types. */
export const kind = <const K extends Shape>(declared: K): K => declared;

/** A resource of a kind, as the API shows it. */
export type ResourceOf<K extends Shape> = z.ZodObject<{
  id: K['id'];
  kind: z.ZodLiteral<K['kind']>;
  metadata: typeof Metadata;
  spec: K['spec'];
  status: z.ZodObject<K['status']['shape'] & { conditions: z.ZodArray<typeof Condition> }>;
  links: z.ZodRecord<z.ZodString, z.ZodString>;
}>;

export function resourceOf<K extends Shape>(declared: K): ResourceOf<K> {
  const schema = z.object({
    id: declared.id,
    kind: z.literal(declared.kind),
    metadata: Metadata,
    spec: declared.spec,
    status: z.object({ ...declared.status.shape, conditions: z.array(Condition) }),
    links: z.record(z.string(), z.string()).describe('Itself, what else there is of it, and its actions (POST)'),
  });
  return schema;
}

/** An item of a list, which `?fields=` may have left with its id alone. */
export type ItemOf<K extends Shape> = z.ZodObject<
  { id: K['id'] } & {
    [P in Exclude<keyof ResourceOf<K>['shape'], 'id'>]: z.ZodOptional<
      ResourceOf<K>['shape'][P] extends z.ZodObject<infer S>
        ? z.ZodObject<{ [F in keyof S]: z.ZodOptional<S[F]> }>
        : ResourceOf<K>['shape'][P]
    >;
  }
>;

export function itemOf<K extends Shape>(declared: K): ItemOf<K> {
  const { id, ...parts } = resourceOf<Shape>(declared).shape;
  const optional = Object.entries<z.ZodType>(parts).map(([name, part]) => [
    name,
    (part instanceof z.ZodObject ? part.partial() : part).optional(),
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return z.object({ id, ...Object.fromEntries(optional) }) as unknown as ItemOf<K>;
}

/** The paths that `?fields=` may name: the parts of a resource, and what is in those that are objects. */
export function selectable(declared: Shape): string[] {
  const { id: _id, ...parts } = resourceOf(declared).shape;
  return Object.entries<z.ZodType>(parts).flatMap(([name, part]) =>
    part instanceof z.ZodObject ? [name, ...Object.keys(part.shape).map((field) => `${name}.${field}`)] : [name],
  );
}

/** The body of a POST. */
export type CreateOf<K extends Shape> = z.ZodObject<
  { metadata: z.ZodObject<{ name: K['name'] }, z.core.$strict>; spec: K['create'] },
  z.core.$strict
>;

export function createOf<K extends Shape>(declared: K): CreateOf<K> {
  return z.strictObject({ metadata: z.strictObject({ name: declared.name }), spec: declared.create }) as CreateOf<K>;
}

/** The body of a PATCH (RFC 7396 in shape: what is left out stays). */
export type PatchOf<K extends Shape> = z.ZodObject<
  {
    metadata: z.ZodOptional<
      z.ZodObject<
        {
          name: z.ZodOptional<K['name']>;
          resourceVersion: z.ZodOptional<typeof ResourceVersion>;
          finalizers: z.ZodOptional<typeof Finalizers>;
        },
        z.core.$strict
      >
    >;
    spec: z.ZodOptional<K['patch']>;
  },
  z.core.$strict
>;

export function patchOf<K extends Shape>(declared: K): PatchOf<K> {
  const metadata = z.strictObject({
    ...(declared.renamable ? { name: declared.name.optional() } : {}),
    resourceVersion: ResourceVersion.optional().describe(
      'Refuses the change (409) where the resource has changed since',
    ),
    finalizers: Finalizers.optional().describe('All of them; while it is being deleted they can only be removed'),
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a name that cannot be changed is not there at all
  return z.strictObject({ metadata: metadata.optional(), spec: declared.patch.optional() }) as unknown as PatchOf<K>;
}
