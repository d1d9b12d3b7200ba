import * as z from 'zod';
import type { Scope, Who } from '../api/endpoint.ts';
import type { ErrorCode } from '../errors.ts';
import type { Listing } from './list.ts';
import { Condition, Finalizers, Metadata, ResourceVersion } from './metadata.ts';

/** What can be done with any kind. */
export type Verb = 'list' | 'get' | 'create' | 'patch' | 'delete';

/** Who may do something, and with which tokens; a resource is always asked for by a person. */
interface Permission {
  readonly who: Exclude<Who, 'anyone' | 'operator'>;
  readonly scope: Scope;
}

/** One verb of a kind. */
interface VerbRow extends Permission {
  /** One sentence, for the OpenAPI document. */
  readonly summary: string;
  /** Refusals beside those that the verb has for every kind. */
  readonly errors?: readonly ErrorCode[];
}

/** What can be done with one kind alone: `POST <path>/{id}/<name>`, which answers with the resource. */
interface Action extends VerbRow {
  /** OpenAPI operationId. */
  readonly operation: string;
  /** None: a body is not read. */
  readonly body?: z.ZodObject;
}

/** Another place where resources of a kind are listed, such as those of one person. */
interface FurtherList extends VerbRow {
  /** OpenAPI operationId. */
  readonly operation: string;
  readonly path: `/${string}`;
  /** What stands in the path. */
  readonly params: z.ZodObject;
}

interface Shape {
  /** As in Kubernetes: `User`. */
  readonly kind: string;
  /** In paths, names of operations and sentences. */
  readonly singular: string;
  readonly plural: string;
  /** Of the collection. */
  readonly path: `/${string}`;
  /** What else stands in the path, where the kind is a part of another: `{cluster}`. */
  readonly within?: z.ZodObject;
  readonly id: z.ZodType<string, string>;
  /** Of a new resource. Names are unique within a kind, whatever their case. Null: resources of the kind have none. */
  readonly name: z.ZodType<string, string> | null;
  /** Whether a PATCH may change the name. */
  readonly renamable: boolean;
  /** What the metadata have beside those that every resource has. */
  readonly metadata?: z.ZodObject;
  /** What its people want. */
  readonly spec: z.ZodObject;
  /** The spec of a new resource, with its defaults; and what is said once and never shown. */
  readonly create: z.ZodObject;
  /** What is shown once, beside the resource that was made. */
  readonly once?: z.ZodObject;
  /** What of the spec a PATCH may change, all of it optional. */
  readonly patch: z.ZodObject;
  /** What the plane has found out; `conditions` come along. */
  readonly status: z.ZodObject;
  readonly listing: Listing;
  /** The verbs that the kind has. One without `patch` has no finalizers either. */
  readonly verbs: Partial<Readonly<Record<Verb, VerbRow>>>;
  /** Said where a resource is not there; `not_found` unless said. */
  readonly missing?: ErrorCode;
  /** By a name that only the storage knows. */
  readonly lists?: Readonly<Record<string, FurtherList>>;
  /** By the last segment of their paths. */
  readonly actions: Readonly<Record<string, Action>>;
  /** Where else something of a resource is, by name: a path in which `{id}` stands for it. */
  readonly links: Readonly<Record<string, `/${string}`>>;
}

/** One kind of resource: routes, validation, permissions, OpenAPI and client come from this value. `README.md` beside it shows how to add one. */
export type Kind = Shape;

/** Declares a kind, keeping its exact types. */
export const kind = <const K extends Shape>(declared: K): K => declared;

type ShapeOf<T> = T extends z.ZodObject<infer S> ? S : unknown;

type MetadataOf<K extends Shape> = z.ZodObject<
  (K['name'] extends null ? Omit<(typeof Metadata)['shape'], 'name'> : (typeof Metadata)['shape']) &
    ShapeOf<K['metadata']>
>;

/** What stands in the path of a kind's collection. */
export type WithinOf<K extends Shape> = K['within'] extends z.ZodObject ? z.output<K['within']> : object;

/** A resource of a kind, as the API shows it. */
export type ResourceOf<K extends Shape> = z.ZodObject<{
  id: K['id'];
  kind: z.ZodLiteral<K['kind']>;
  metadata: MetadataOf<K>;
  spec: K['spec'];
  status: z.ZodObject<K['status']['shape'] & { conditions: z.ZodArray<typeof Condition> }>;
  links: z.ZodRecord<z.ZodString, z.ZodString>;
}>;

export function resourceOf<K extends Shape>(declared: K): ResourceOf<K> {
  const { name, ...rest } = Metadata.shape;
  const schema = z.object({
    id: declared.id,
    kind: z.literal(declared.kind),
    metadata: z.object({ ...(declared.name === null ? {} : { name }), ...rest, ...declared.metadata?.shape }),
    spec: declared.spec,
    status: z.object({ ...declared.status.shape, conditions: z.array(Condition) }),
    links: z.record(z.string(), z.string()).describe('Itself, what else there is of it, and its actions (POST)'),
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is there or not by a condition is optional to TypeScript
  return schema as unknown as ResourceOf<K>;
}

/** What a POST answers: the resource, and what is shown once. */
export type MadeOf<K extends Shape> = z.ZodObject<ResourceOf<K>['shape'] & ShapeOf<K['once']>>;

export function madeOf<K extends Shape>(declared: K): MadeOf<K> {
  const schema = z.object({ ...resourceOf<Shape>(declared).shape, ...declared.once?.shape });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return schema as unknown as MadeOf<K>;
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
  (K['name'] extends null ? unknown : { metadata: z.ZodObject<{ name: NonNullable<K['name']> }, z.core.$strict> }) & {
    spec: K['create'];
  },
  z.core.$strict
>;

export function createOf<K extends Shape>({ name, create }: K): CreateOf<K> {
  const metadata = name === null ? {} : { metadata: z.strictObject({ name }) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return z.strictObject({ ...metadata, spec: create }) as unknown as CreateOf<K>;
}

/** The body of a PATCH (RFC 7396 in shape: what is left out stays). */
export type PatchOf<K extends Shape> = z.ZodObject<
  {
    metadata: z.ZodOptional<
      z.ZodObject<
        {
          name: z.ZodOptional<NonNullable<K['name']>>;
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
    ...(declared.renamable && declared.name !== null ? { name: declared.name.optional() } : {}),
    resourceVersion: ResourceVersion.optional().describe(
      'Refuses the change (409) where the resource has changed since',
    ),
    finalizers: Finalizers.optional().describe('All of them; while it is being deleted they can only be removed'),
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a name that cannot be changed is not there at all
  return z.strictObject({ metadata: metadata.optional(), spec: declared.patch.optional() }) as unknown as PatchOf<K>;
}
