import * as z from 'zod';

/** What a global role may let somebody do on the plane itself; what they may do in a cluster is another matter (`schema/access.ts`, Role). */
export const Permission = z.enum([
  'clusters.create',
  'users.manage',
  'roles.manage',
  'authentication.manage',
  'settings.manage',
  'catalogs.manage',
]);
export type Permission = z.infer<typeof Permission>;

export const PERMISSIONS: readonly Permission[] = Permission.options;

/** Whether a word names a permission. */
export const isPermission = (word: string): word is Permission => Permission.safeParse(word).success;

interface BuiltIn {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

/**
 * Roles that every plane has, as Rancher's global roles. Whoever has `administrator` is also owner of every cluster. `user-base` is what everybody has who can sign in: themselves, and
 * whatever clusters they have a role in.
 */
export const BUILT_IN_ROLES = {
  administrator: { name: 'Administrator', permissions: PERMISSIONS },
  user: { name: 'Standard user', permissions: ['clusters.create'] },
  'user-base': { name: 'User base', permissions: [] },
  'clusters-create': { name: 'Create clusters', permissions: ['clusters.create'] },
  'users-manage': { name: 'Manage users', permissions: ['users.manage'] },
  'roles-manage': { name: 'Manage roles', permissions: ['roles.manage'] },
  'authentication-manage': { name: 'Manage authentication', permissions: ['authentication.manage'] },
  'settings-manage': { name: 'Manage settings', permissions: ['settings.manage'] },
  'catalogs-manage': { name: 'Manage catalogs', permissions: ['catalogs.manage'] },
} as const satisfies Record<string, BuiltIn>;

export type BuiltInRole = keyof typeof BUILT_IN_ROLES;

export const ADMINISTRATOR_ROLE = 'administrator' satisfies BuiltInRole;

const isBuiltIn = (id: string): id is BuiltInRole => Object.hasOwn(BUILT_IN_ROLES, id);

/** The built-in role of that id; undefined: it is none. */
export function builtInRole(id: string): BuiltIn | undefined {
  return isBuiltIn(id) ? BUILT_IN_ROLES[id] : undefined;
}
