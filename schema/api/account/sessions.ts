import * as z from 'zod';
import { endpoint } from '../endpoint.ts';

export const signOut = endpoint({
  operation: 'signOut',
  summary: 'Take the caller’s own token back, and drop the session cookie',
  method: 'POST',
  path: '/v1/auth/logout',
  who: 'person',
  scope: 'anything',
  status: 204,
  errors: ['not_found'],
});

/** RFC 8037 §2: the public half of an Ed25519 key. */
const PublicKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  alg: z.literal('EdDSA'),
  use: z.literal('sig'),
});

export const getKeys = endpoint({
  operation: 'getKeys',
  summary: 'The public halves of the keys that sign tokens (RFC 7517): the first signs, all verify',
  method: 'GET',
  path: '/v1/auth/jwks',
  who: 'anyone',
  scope: 'reads',
  status: 200,
  result: z.object({ keys: z.array(PublicKey) }),
  errors: [],
});
