import * as z from 'zod';
import { Role } from '../../access.ts';
import { GroupPrincipal } from '../../ids.ts';
import { clusterParams } from './clusters.ts';
import { endpoint, listOf } from '../endpoint.ts';

const group = GroupPrincipal.describe(
  'A principal, such as `activedirectory_group://<objectGUID>` or `github_team://42`',
);

const GroupRole = z.object({ group, role: Role });

export const listGroupRoles = endpoint({
  operation: 'listGroupRoles',
  summary: 'Which groups have a role in a cluster',
  method: 'GET',
  path: '/v1/clusters/{cluster}/groups',
  who: 'cluster-member',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  result: listOf(GroupRole),
  errors: [],
});

export const putGroupRole = endpoint({
  operation: 'putGroupRole',
  summary:
    'Give everybody in a group a role in a cluster; the group need not have been seen yet. In the cluster they also have the principal as a group',
  method: 'PUT',
  path: '/v1/clusters/{cluster}/groups',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams,
  body: z.strictObject({ group, role: Role }),
  status: 200,
  result: GroupRole,
  errors: [],
});

export const deleteGroupRole = endpoint({
  operation: 'deleteGroupRole',
  summary: "Take a group's role in a cluster: who has no other is out within seconds",
  method: 'DELETE',
  path: '/v1/clusters/{cluster}/groups',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams,
  // A principal holds slashes, which a path would have to hide.
  query: z.strictObject({ group }),
  status: 204,
  errors: ['not_found'],
});
