import * as z from 'zod';
import { clusterParams } from '../../api/clusters/clusters.ts';
import { Moment } from '../../api/endpoint.ts';
import { RegistrationTokenId } from '../../ids.ts';
import { kind } from '../kind.ts';

const readers = { who: 'cluster-owner', scope: 'reads' } as const;
const owners = { who: 'cluster-owner', scope: 'anything' } as const;

/** By what an agent of a cluster registers, once: those that are good now; one that is taken back is gone. */
export const RegistrationTokenKind = kind({
  kind: 'RegistrationToken',
  singular: 'registrationToken',
  plural: 'registrationTokens',
  path: '/v1/clusters/{cluster}/registration-tokens',
  within: clusterParams,
  id: RegistrationTokenId,
  name: null,
  renamable: false,
  spec: z.object({}),
  create: z.strictObject({
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
  once: z.object({
    importUrl: z.url().describe('The manifest; holds the token and is shown once'),
    importCommand: z
      .string()
      .describe('A POSIX shell command that applies the manifest to the current context of kubectl'),
  }),
  patch: z.strictObject({}),
  status: z.object({ expiresAt: Moment, usedAt: Moment.nullable() }),
  listing: { fields: { createdAt: { sort: 'number' }, expiresAt: { sort: 'number' } }, order: '-createdAt' },
  verbs: {
    list: {
      ...readers,
      summary: 'The registration tokens of a cluster that are good now, without the tokens',
    },
    get: { ...readers, summary: 'A registration token of a cluster that is good now, without the token' },
    create: {
      ...owners,
      summary: 'Make a token by which one agent of this cluster may register, once, within an hour',
    },
    delete: { ...owners, summary: 'Take a registration token back; an agent that has registered by it stays' },
  },
  actions: {},
  links: {},
});
