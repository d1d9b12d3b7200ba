import type { z } from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type {
  createGlobalRoleBinding,
  deleteGlobalRoleBinding,
  listGlobalRoleBindings,
} from '#schema/api/people/role-bindings.ts';
import { OutriderError } from '#schema/errors.ts';
import { newGlobalRoleBindingId } from '#schema/ids.ts';
import { findGlobalRole } from '../../store/kinds/global-roles.ts';
import {
  addGlobalRoleBinding,
  findGlobalRoleBinding,
  listGlobalRoleBindings as storedBindings,
  removeGlobalRoleBinding,
  type GlobalRoleBinding,
} from '../../store/rights/role-bindings.ts';
import { refuseMoreThanOwn } from '../grants.ts';
import type { Handler } from '../handler.ts';

const renderBinding = ({
  createdAt,
  ...binding
}: GlobalRoleBinding): z.input<(typeof createGlobalRoleBinding)['result']> => ({
  ...binding,
  createdAt: moment(createdAt),
});

export const handleListGlobalRoleBindings: Handler<typeof listGlobalRoleBindings> = async (_input, { db }) => ({
  items: (await storedBindings(db)).map(renderBinding),
});

export const handleCreateGlobalRoleBinding: Handler<typeof createGlobalRoleBinding> = async (
  { body },
  deps,
  caller,
) => {
  const role = await findGlobalRole(deps.db, body.role);
  if (role === null) throw new OutriderError('not_found', 'there is no such role');
  refuseMoreThanOwn(caller, role.spec.permissions, role.id);
  const binding = { id: newGlobalRoleBindingId(), ...body, createdAt: deps.now };
  if (!(await addGlobalRoleBinding(deps.db, deps.commit, binding))) {
    throw new OutriderError('conflict', 'they have this role already, it is being removed, or there is no such person');
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
  refuseMoreThanOwn(caller, role?.spec.permissions ?? [], binding.role);
  if (!(await removeGlobalRoleBinding(deps.db, deps.commit, { binding, now: deps.now }))) {
    throw new OutriderError('not_found', 'there is no such binding');
  }
  return undefined;
};
