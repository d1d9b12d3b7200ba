import * as z from 'zod';
import { RegistrationTokenId } from '../../ids.ts';
import { clusterParams } from './clusters.ts';
import { endpoint, listOf, Moment } from '../endpoint.ts';

const RegistrationToken = z.object({
  id: RegistrationTokenId,
  createdAt: Moment,
  expiresAt: Moment,
  usedAt: Moment.nullable(),
});

export const createRegistrationToken = endpoint({
  operation: 'createRegistrationToken',
  summary: 'Make a token by which one agent of this cluster may register, once, within an hour',
  method: 'POST',
  path: '/v1/clusters/{cluster}/registration-tokens',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams,
  body: z.strictObject({
    caFile: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[^\p{Cc}]+$/u, 'a path without control characters')
      .optional()
      .describe(
        "Where the plane's CA is not a public one: its file on the machine where the command will be pasted. Without it the command brings the CA along",
      ),
  }),
  status: 201,
  result: RegistrationToken.omit({ usedAt: true }).extend({
    importUrl: z.url().describe('The manifest; holds the token and is shown once'),
    importCommand: z
      .string()
      .describe('A POSIX shell command that applies the manifest to the current context of kubectl'),
  }),
  errors: [],
});

export const listRegistrationTokens = endpoint({
  operation: 'listRegistrationTokens',
  summary: 'The registration tokens of a cluster that are good now, without the tokens',
  method: 'GET',
  path: '/v1/clusters/{cluster}/registration-tokens',
  who: 'cluster-owner',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  result: listOf(RegistrationToken),
  errors: [],
});

export const deleteRegistrationToken = endpoint({
  operation: 'deleteRegistrationToken',
  summary: 'Take a registration token back; an agent that has registered by it stays',
  method: 'DELETE',
  path: '/v1/clusters/{cluster}/registration-tokens/{registrationToken}',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams.extend({ registrationToken: RegistrationTokenId }),
  status: 204,
  errors: ['not_found'],
});
