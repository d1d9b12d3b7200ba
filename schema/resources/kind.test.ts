import { expect, expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import type { Endpoint } from '../api/endpoint.ts';
import { openApi } from '../api/openapi.ts';
import { endpointsOf } from './endpoints.ts';
import { kind, resourceOf, selectable } from './kind.ts';
import { flagFilter, textFilter } from './list.ts';

const administrators = { who: 'administrator', scope: 'anything' } as const;
const ThingKind = kind({
  kind: 'Thing',
  singular: 'thing',
  plural: 'things',
  path: '/v1/things',
  id: z.string().regex(/^x-\d+$/),
  name: z.string().min(1).max(9),
  renamable: false,
  spec: z.object({ size: z.int(), open: z.boolean() }),
  create: z.strictObject({ size: z.int().default(1), open: z.boolean().default(false), secret: z.string().max(9) }),
  patch: z.strictObject({ open: z.boolean().optional() }),
  status: z.object({ weight: z.int() }),
  listing: {
    fields: { name: { filter: textFilter, sort: 'text' }, open: { filter: flagFilter }, size: { sort: 'number' } },
    order: 'name',
  },
  verbs: {
    list: { who: 'person', scope: 'reads', summary: 'All' },
    get: { who: 'person', scope: 'reads', summary: 'One' },
    create: { ...administrators, summary: 'Make', errors: ['unknown_cluster'] },
    patch: { ...administrators, summary: 'Change' },
    delete: { ...administrators, summary: 'Remove' },
  },
  actions: {
    shake: {
      ...administrators,
      operation: 'shakeThing',
      summary: 'Shake',
      body: z.strictObject({ times: z.int() }),
      errors: ['throttled'],
    },
  },
  links: {},
});
const things = endpointsOf(ThingKind);

/** A part of another kind, without names and without changes, of which something is shown once. */
const PartKind = kind({
  kind: 'Part',
  singular: 'part',
  plural: 'parts',
  path: '/v1/clusters/{cluster}/parts',
  within: z.object({ cluster: z.string() }),
  id: z.string(),
  name: null,
  renamable: false,
  metadata: z.object({ createdBy: z.string() }),
  spec: z.object({ size: z.int() }),
  create: z.strictObject({ size: z.int() }),
  once: z.object({ secret: z.string() }),
  patch: z.strictObject({}),
  status: z.object({}),
  listing: { fields: { createdAt: { sort: 'number' } }, order: '-createdAt' },
  verbs: {
    list: { who: 'cluster-member', scope: 'reads', summary: 'All' },
    create: { who: 'cluster-owner', scope: 'anything', summary: 'Make' },
    delete: { who: 'cluster-owner', scope: 'anything', summary: 'Remove' },
  },
  missing: 'unknown_cluster',
  lists: {
    ofThing: {
      ...administrators,
      operation: 'listThingParts',
      path: '/v1/things/{thing}/parts',
      params: z.object({ thing: z.string() }),
      summary: 'Of a thing',
    },
  },
  actions: {},
  links: {},
});
const parts = endpointsOf(PartKind);

const rowsOf = (endpoints: readonly Endpoint[]): string[] =>
  endpoints.map((endpoint) =>
    [endpoint.operation, endpoint.method, endpoint.path, endpoint.who, endpoint.scope, ...endpoint.errors].join(' '),
  );

test('method, path, permission and refusals of each endpoint come from the declaration', () => {
  const { lists, actions, ...verbs } = things;
  expect(lists).toEqual({});
  expect(rowsOf([...Object.values(verbs), ...Object.values(actions)])).toEqual([
    'listThings GET /v1/things person reads',
    'getThing GET /v1/things/{thing} person reads not_found',
    'createThing POST /v1/things administrator anything conflict unknown_cluster',
    'updateThing PATCH /v1/things/{thing} administrator anything not_found conflict precondition_failed',
    'deleteThing DELETE /v1/things/{thing} administrator anything not_found conflict precondition_failed',
    'shakeThing POST /v1/things/{thing}/shake administrator anything not_found conflict precondition_failed throttled',
  ]);
});

test('a kind has the verbs that it declares, at the place that it declares, and further lists', () => {
  const { lists, actions, ...verbs } = parts;
  expect(actions).toEqual({});
  expect(rowsOf([...Object.values(verbs), ...Object.values(lists)])).toEqual([
    'listParts GET /v1/clusters/{cluster}/parts cluster-member reads',
    'createPart POST /v1/clusters/{cluster}/parts cluster-owner anything conflict',
    'deletePart DELETE /v1/clusters/{cluster}/parts/{part} cluster-owner anything unknown_cluster conflict precondition_failed',
    'listThingParts GET /v1/things/{thing}/parts administrator anything',
  ]);
  expectTypeOf<keyof typeof parts>().toEqualTypeOf<'list' | 'create' | 'delete' | 'lists' | 'actions'>();
  expect(Object.keys(parts.delete.params.shape)).toEqual(['cluster', 'part']);
  expect(Object.keys(parts.create.params.shape)).toEqual(['cluster']);
});

test('a kind without names asks for none and shows none', () => {
  const { create, list } = parts;
  expect(create.body.parse({ spec: { size: 1 } })).toEqual({ spec: { size: 1 } });
  expect(create.body.safeParse({ metadata: { name: 'a' }, spec: { size: 1 } }).success).toBe(false);
  const { metadata } = create.result.shape;
  expect(Object.keys(metadata.shape)).not.toContain('name');
  expect(Object.keys(metadata.shape)).toContain('createdBy');
  expectTypeOf<z.output<typeof metadata>['createdBy']>().toEqualTypeOf<string>();
  expect(list.result.safeParse({ items: [{ id: 'p' }], continue: null }).success).toBe(true);
});

test('what is shown once comes with what was made, and with nothing else', () => {
  expect(Object.keys(parts.create.result.shape)).toContain('secret');
  expectTypeOf<z.output<typeof parts.create.result>['secret']>().toEqualTypeOf<string>();
  expect(Object.keys(resourceOf(PartKind).shape)).not.toContain('secret');
});

test('a new resource gets the defaults of its kind, and nothing that the kind does not know', () => {
  const { body } = things.create;
  const made = body.parse({ metadata: { name: 'a' }, spec: { secret: 's' } });
  expect(made.spec).toEqual({ size: 1, open: false, secret: 's' });
  expectTypeOf(made.spec.size).toEqualTypeOf<number>();
  for (const wrong of [
    { metadata: { name: 'a' }, spec: { secret: 's', size: 'large' } },
    { metadata: { name: 'a' }, spec: { secret: 's', weight: 1 } },
    { metadata: { name: 'a', generation: 7 }, spec: { secret: 's' } },
    { metadata: { name: 'a' }, spec: { secret: 's' }, status: {} },
    { metadata: { name: '' }, spec: { secret: 's' } },
    { spec: { secret: 's' } },
  ]) {
    expect(body.safeParse(wrong).success).toBe(false);
  }
});

test('a change names what is to be another, and cannot touch what is fixed', () => {
  const { body } = things.patch;
  expect(body.parse({ spec: { open: true }, metadata: { resourceVersion: '7', finalizers: ['a.b/c'] } })).toEqual({
    spec: { open: true },
    metadata: { resourceVersion: '7', finalizers: ['a.b/c'] },
  });
  for (const wrong of [
    { spec: { size: 2 } },
    { metadata: { name: 'b' } },
    { metadata: { deletedAt: null } },
    { metadata: { resourceVersion: 7 } },
    { metadata: { resourceVersion: '7 OR 1=1' } },
    { metadata: { finalizers: ['no-domain'] } },
    { metadata: { finalizers: ['a.b/c', 'a.b/c'] } },
    { metadata: { finalizers: Array.from({ length: 17 }, (_, i) => `a.b/${i}`) } },
    { status: { weight: 1 } },
  ]) {
    expect(body.safeParse(wrong).success).toBe(false);
  }
});

test('what is said once is not part of the resource', () => {
  expect(Object.keys(resourceOf(ThingKind).shape.spec.shape)).toEqual(['size', 'open']);
  expect(Object.keys(things.get.result.shape.status.shape)).toEqual(['weight', 'conditions']);
});

test('every part of a resource, and every field of a part, can be selected', () => {
  expect(selectable(ThingKind)).toEqual([
    'kind',
    'metadata',
    'metadata.name',
    'metadata.generation',
    'metadata.resourceVersion',
    'metadata.createdAt',
    'metadata.finalizers',
    'metadata.deletedAt',
    'spec',
    'spec.size',
    'spec.open',
    'status',
    'status.weight',
    'status.conditions',
    'links',
  ]);
});

test('the OpenAPI document has a kind without another word', () => {
  const { actions, lists: _none, ...verbs } = things;
  const document = openApi([...Object.values(verbs), ...Object.values(actions)], 'https://plane.example.com');
  const { get, post } = (document['paths'] as any)['/v1/things'];
  expect(get.parameters.map(({ name }: { name: string }) => name)).toEqual([
    'limit',
    'continue',
    'sort',
    'name',
    'open',
    'fields',
  ]);
  expect(get.parameters.every(({ required }: { required: boolean }) => !required)).toBe(true);
  const [, , sort] = get.parameters;
  expect(sort.schema).toEqual({ type: 'string', enum: ['name', '-name', 'size', '-size'], default: 'name' });
  expect(post.requestBody.content['application/json'].schema.properties.spec.required).toEqual(['secret']);
  expect((document['paths'] as any)['/v1/things/{thing}/shake'].post.operationId).toBe('shakeThing');
  const { patch, get: one } = (document['paths'] as any)['/v1/things/{thing}'];
  expect(patch.parameters[1]).toMatchObject({ name: 'if-match', in: 'header', required: false });
  expect(Object.keys(patch.responses)).toContain('412');
  expect(one.responses['200'].headers).toHaveProperty('ETag');
});
