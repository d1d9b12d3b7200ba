import { beforeAll, expect, test } from 'vitest';
import type { Endpoint, Who } from '#schema/api/endpoint.ts';
import { BUILT_IN_ROLES, type BuiltInRole, isPermission, type Permission } from '#schema/roles.ts';
import {
  newGlobalRoleBindingId,
  newGlobalRoleId,
  newGroupId,
  newRegistrationTokenId,
  newTokenId,
  newUserId,
} from '#schema/ids.ts';
import { ROUTES } from '#workers/http/routes.ts';
import { ask, cluster, member, operatorToken, outcome, person, tokenFor } from './client.ts';

/** Somebody who calls; `readOnly` and `scoped` are the administrator with a lesser token. */
type Caller =
  | 'nobody'
  | 'person'
  | 'member'
  | 'owner'
  | 'administrator'
  | 'operator'
  | 'readOnly'
  | 'scoped'
  | 'elsewhere'
  | BuiltInRole;

/** Every role that a plane has; `administrator` is a caller by the account's mark, too, and tried as that. */
const ROLES = (Object.keys(BUILT_IN_ROLES) as BuiltInRole[]).filter((role) => role !== 'administrator');

const tokens = new Map<Caller, string | undefined>();
let target: string;

beforeAll(async () => {
  target = await cluster();
  const other = await cluster();
  const ids = { person: await person(), member: await person(), owner: await person() };
  const administrator = await person({ administrator: true });
  await member(target, ids.member, 'member');
  await member(target, ids.owner, 'owner');
  await member(other, ids.person, 'owner');
  tokens.set('nobody', undefined);
  for (const [name, id] of Object.entries(ids)) tokens.set(name as Caller, await tokenFor(id));
  tokens.set('administrator', await tokenFor(administrator));
  tokens.set('readOnly', await tokenFor(administrator, { readOnly: true }));
  tokens.set('scoped', await tokenFor(administrator, { cluster: target }));
  tokens.set('elsewhere', await tokenFor(administrator, { cluster: other }));
  tokens.set('operator', await operatorToken());
  for (const role of ROLES) {
    const id = await person();
    const body = { spec: { role, user: id } };
    expect((await ask('POST /v1/global-role-bindings', { token: tokens.get('administrator'), body })).status).toBe(201);
    tokens.set(role, await tokenFor(id));
  }
});

/** `in`: the request got past permission, whatever became of it. */
type Verdict = 'in' | 'unauthenticated' | 'forbidden' | 'unknown_cluster' | 'read_only' | 'wrong_scope';

type Plain = Exclude<Caller, 'readOnly' | 'scoped' | 'elsewhere' | Exclude<BuiltInRole, 'administrator'>>;

const PEOPLE: Record<Exclude<Who, Permission>, Record<Plain, Verdict>> = {
  anyone: { nobody: 'in', person: 'in', member: 'in', owner: 'in', administrator: 'in', operator: 'in' },
  operator: {
    nobody: 'unauthenticated',
    person: 'unauthenticated',
    member: 'unauthenticated',
    owner: 'unauthenticated',
    administrator: 'unauthenticated',
    operator: 'in',
  },
  person: {
    nobody: 'unauthenticated',
    person: 'in',
    member: 'in',
    owner: 'in',
    administrator: 'in',
    operator: 'unauthenticated',
  },
  administrator: {
    nobody: 'unauthenticated',
    person: 'forbidden',
    member: 'forbidden',
    owner: 'forbidden',
    administrator: 'in',
    operator: 'unauthenticated',
  },
  'cluster-member': {
    nobody: 'unauthenticated',
    person: 'unknown_cluster',
    member: 'in',
    owner: 'in',
    administrator: 'in',
    operator: 'unauthenticated',
  },
  'cluster-owner': {
    nobody: 'unauthenticated',
    person: 'unknown_cluster',
    member: 'forbidden',
    owner: 'in',
    administrator: 'in',
    operator: 'unauthenticated',
  },
};

const isRole = (caller: Caller): caller is Exclude<BuiltInRole, 'administrator'> =>
  (ROLES as readonly string[]).includes(caller);

function expected({ who, scope, path }: Endpoint, caller: Caller): Verdict {
  if (caller !== 'readOnly' && caller !== 'scoped' && caller !== 'elsewhere') {
    if (!isPermission(who)) return PEOPLE[who][isRole(caller) ? 'person' : caller];
    if (caller === 'administrator') return 'in';
    if (isRole(caller)) return new Set<Permission>(BUILT_IN_ROLES[caller].permissions).has(who) ? 'in' : 'forbidden';
    return caller === 'nobody' || caller === 'operator' ? 'unauthenticated' : 'forbidden';
  }
  if (who === 'anyone') return 'in';
  if (who === 'operator') return 'unauthenticated';
  if (scope === 'self') return 'in';
  if (caller === 'readOnly') return scope === 'reads' ? 'in' : 'read_only';
  return scope === 'reads' && caller === 'scoped' && path.includes('{cluster}') ? 'in' : 'wrong_scope';
}

/** A path that names the target cluster, and otherwise things that do not exist. */
const concrete = (path: string): string =>
  path
    .replace('{cluster}', target)
    .replace('{user}', newUserId())
    .replace('{group}', newGroupId())
    .replace('{token}', newTokenId())
    .replace('{role}', newGlobalRoleId())
    .replace('{binding}', newGlobalRoleBindingId())
    .replace('{registrationToken}', newRegistrationTokenId());

const REFUSALS = new Set(['unauthenticated', 'forbidden', 'unknown_cluster', 'read_only', 'wrong_scope']);

const callers: Caller[] = [
  'nobody',
  'person',
  'member',
  'owner',
  'administrator',
  'operator',
  'readOnly',
  'scoped',
  'elsewhere',
  ...ROLES,
];

/** What would end the world for the rows after it goes last. */
const ENDS = new Set(['deleteCluster', 'deleteOwnTokens']);
const endpoints = ROUTES.map(({ endpoint }) => endpoint).toSorted(
  (a, b) => Number(ENDS.has(a.operation)) - Number(ENDS.has(b.operation)),
);

test.each(endpoints)('$method $path is for: $who', async (endpoint) => {
  for (const caller of callers) {
    const want = expected(endpoint, caller);
    // Deleting works for whoever may: seen by one of them only.
    if (ENDS.has(endpoint.operation) && want === 'in') continue;
    // No body that anything accepts: who may go on is told that it is wrong.
    const answer = await ask(`${endpoint.method} ${concrete(endpoint.path)}`, {
      token: tokens.get(caller),
      ...(endpoint.body === undefined ? {} : { body: { unknown: true } }),
    });
    const code = String(outcome(answer));
    expect([caller, REFUSALS.has(code) ? code : 'in']).toEqual([caller, want]);
    expect(answer.status).toBeLessThan(500);
  }
});

test('every endpoint has a different operation, method and path', () => {
  const names = endpoints.map(({ operation }) => operation);
  const places = endpoints.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(places).size).toBe(places.length);
});

test('what makes or takes something is never open to restricted tokens', () => {
  for (const { method, scope, operation, who } of endpoints) {
    if (method !== 'GET' && who !== 'anyone') expect([operation, scope]).toEqual([operation, 'anything']);
  }
});
