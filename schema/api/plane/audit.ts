import * as z from 'zod';
import { AuditEvent } from '../../audit/event.ts';
import { ClusterId, UserId } from '../../ids.ts';
import { endpoint } from '../endpoint.ts';

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;

/** A name in the path of an API server, or a word of ours. */
const word = z.string().min(1).max(256);
const moment = z.iso.datetime({ offset: true }).describe('RFC 3339');

export const listAuditEvents = endpoint({
  operation: 'listAuditEvents',
  summary: 'What was changed and by whom, on the plane and through it, newest first: audit.k8s.io/v1 events',
  method: 'GET',
  path: '/v1/audit',
  who: 'administrator',
  scope: 'reads',
  query: z.strictObject({
    actor: UserId.optional().describe('Who did it'),
    cluster: ClusterId.optional().describe('Where, be it there any more or not'),
    verb: word
      .optional()
      .describe('As the API server has them: create, update, patch, delete, deletecollection, get (an exec is one)'),
    resource: word.optional().describe('Plural: deployments, clusters'),
    name: word.optional(),
    from: moment.optional().describe('Received at this moment or later'),
    to: moment.optional().describe('Received before this moment'),
    limit: z
      .string()
      .regex(/^\d{1,3}$/, 'a number')
      .transform(Number)
      .pipe(z.int().min(1).max(MAX_LIMIT))
      .default(DEFAULT_LIMIT),
    continue: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('From the page before, whose other parameters stay the same'),
  }),
  status: 200,
  result: z.object({
    items: z.array(AuditEvent),
    continue: z.string().nullable().describe('For the next page; null: this is the last'),
  }),
  errors: [],
});
