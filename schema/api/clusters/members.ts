import * as z from 'zod';
import { Role } from '../../access.ts';
import { UserId } from '../../ids.ts';
import { clusterParams } from './clusters.ts';
import { endpoint, listOf } from '../endpoint.ts';

const Member = z.object({ user: UserId, username: z.string(), role: Role });

const params = clusterParams.extend({ user: UserId });

export const listMembers = endpoint({
  operation: 'listMembers',
  summary: 'Who has a role in a cluster; administrators are owners everywhere and are not listed for it',
  method: 'GET',
  path: '/v1/clusters/{cluster}/members',
  who: 'cluster-member',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  result: listOf(Member),
  errors: [],
});

export const putMember = endpoint({
  operation: 'putMember',
  summary: 'Give a person a role in a cluster: owners are bound to cluster-admin, members to nothing yet',
  method: 'PUT',
  path: '/v1/clusters/{cluster}/members/{user}',
  who: 'cluster-owner',
  scope: 'anything',
  params,
  body: z.strictObject({ role: Role }),
  status: 200,
  result: Member,
  errors: ['not_found'],
});

export const deleteMember = endpoint({
  operation: 'deleteMember',
  summary: "Take a person's role in a cluster",
  method: 'DELETE',
  path: '/v1/clusters/{cluster}/members/{user}',
  who: 'cluster-owner',
  scope: 'anything',
  params,
  status: 204,
  errors: ['not_found'],
});
