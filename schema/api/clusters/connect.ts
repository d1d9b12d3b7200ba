import * as z from 'zod';
import { AgentPrincipal } from '../../access.ts';
import { ClusterId } from '../../ids.ts';
import { endpoint } from '../endpoint.ts';

/** 160 bits: cannot be guessed, so needs no throttle. */
export const REGISTRATION_TOKEN_LENGTH = 32;
export const RegistrationSecret = z.string().regex(/^[a-z2-7]{32}$/);

export const registerAgent = endpoint({
  operation: 'registerAgent',
  summary: "An agent's first call: its registration token for a credential that is bound to its own key",
  method: 'POST',
  path: '/connect/register',
  who: 'anyone',
  scope: 'anything',
  body: z.strictObject({
    token: RegistrationSecret,
    publicKey: AgentPrincipal.shape.publicKey.describe('Raw Ed25519, base64url'),
    kubeSystemUid: z.uuid(),
    kubernetesVersion: z.string().min(1).max(64),
  }),
  status: 200,
  result: z.object({ cluster: ClusterId, credential: z.string() }),
  errors: ['unauthenticated', 'conflict', 'already_imported'],
});
