import type { z } from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type {
  createGlobalRole,
  createGlobalRoleBinding,
  deleteGlobalRole,
  deleteGlobalRoleBinding,
  listGlobalRoleBindings,
  listGlobalRoles,
  updateGlobalRole,
} from '#schema/api/people/roles.ts';
import { OutriderError } from '#schema/errors.ts';
import { newGlobalRoleBindingId, newGlobalRoleId } from '#schema/ids.ts';
import { BUILT_IN_ROLES, builtInRole } from '#schema/roles.ts';
import {
  addGlobalRole,
  addGlobalRoleBinding,
  changeGlobalRole,
  findGlobalRole,
  findGlobalRoleBinding,
  listGlobalRoleBindings as storedBindings,
  listGlobalRoles as storedRoles,
  removeGlobalRole,
  removeGlobalRoleBinding,
  type GlobalRole,
  type GlobalRoleBinding,
} from '../../store/rights/global-roles.ts';
import { refuseMoreThanOwn } from '../grants.ts';
import type { Deps, Handler } from '../handler.ts';

const render = (role: GlobalRole) => ({ ...role, builtIn: builtInRole(role.id) !== undefined });

const renderBinding = ({
  createdAt,
  ...binding
}: GlobalRoleBinding): z.input<(typeof createGlobalRoleBinding)['result']> => ({
  ...binding,
  createdAt: moment(createdAt),
});

async function found({ db }: Deps, id: string): Promise<GlobalRole> {
  const role = await findGlobalRole(db, id);
  if (role === null) throw new OutriderError('not_found', 'there is no such role');
  return role;
}

const nameTaken = (name: string): OutriderError =>
  new OutriderError('conflict', `there is a role named ${name} already`);

export const handleListGlobalRoles: Handler<typeof listGlobalRoles> = async (_input, { db }) => ({
  items: [
    ...Object.entries(BUILT_IN_ROLES).map(([id, { name, permissions }]) =>
      render({ id, name, permissions: [...permissions] }),
    ),
    ...(await storedRoles(db)).map(render),
  ],
});

export const handleCreateGlobalRole: Handler<typeof createGlobalRole> = async ({ body }, deps, caller) => {
  refuseMoreThanOwn(caller, body.permissions);
  const role = { id: newGlobalRoleId(), ...body };
  if (!(await addGlobalRole(deps.db, { ...role, createdAt: deps.now }))) throw nameTaken(body.name);
  return render(role);
};

export const handleUpdateGlobalRole: Handler<typeof updateGlobalRole> = async ({ params, body }, deps, caller) => {
  const before = await found(deps, params.role);
  const role = { ...before, name: body.name ?? before.name, permissions: body.permissions ?? before.permissions };
  // What it lets already counts too: to take away what one does not have is to decide over it.
  refuseMoreThanOwn(caller, [...before.permissions, ...role.permissions]);
  if (!(await changeGlobalRole(deps.db, role))) throw nameTaken(role.name);
  return render(role);
};

export const handleDeleteGlobalRole: Handler<typeof deleteGlobalRole> = async ({ params }, deps, caller) => {
  const role = await found(deps, params.role);
  refuseMoreThanOwn(caller, role.permissions);
  if (!(await removeGlobalRole(deps.db, role.id))) throw new OutriderError('not_found', 'there is no such role');
  return undefined;
};

export const handleListGlobalRoleBindings: Handler<typeof listGlobalRoleBindings> = async (_input, { db }) => ({
  items: (await storedBindings(db)).map(renderBinding),
});

export const handleCreateGlobalRoleBinding: Handler<typeof createGlobalRoleBinding> = async (
  { body },
  deps,
  caller,
) => {
  const role = await found(deps, body.role);
  refuseMoreThanOwn(caller, role.permissions, role.id);
  const binding = { id: newGlobalRoleBindingId(), ...body, createdAt: deps.now };
  if (!(await addGlobalRoleBinding(deps.db, deps.commit, binding))) {
    throw new OutriderError('conflict', 'they have this role already, or there is no such person');
  }
  return renderBinding(binding);
};

export const handleDeleteGlobalRoleBinding: Handler<typeof deleteGlobalRoleBinding> = async (
  { params },
  deps,
  caller,
) => {
  const binding = await findGlobalRoleBinding(deps.db, params.binding);
  if (binding === null) throw new OutriderError('not_found', 'there is no such binding');
  const role = await findGlobalRole(deps.db, binding.role);
  refuseMoreThanOwn(caller, role?.permissions ?? [], binding.role);
  if (!(await removeGlobalRoleBinding(deps.db, deps.commit, binding))) {
    throw new OutriderError('not_found', 'there is no such binding');
  }
  return undefined;
};
