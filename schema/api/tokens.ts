import * as z from 'zod';
import { ClusterId, TokenId } from '../ids.ts';
import { clusterParams } from './clusters.ts';
import { endpoint, listOf, Moment } from './endpoint.ts';

const DAY = 24 * 3600;
/** What is lost and not noticed stops working by itself. */
const MAX_TTL_SECONDS = 90 * DAY;
const MIN_TTL_SECONDS = 60;
const DEFAULT_TTL_SECONDS = 30 * DAY;

const ttl = z.int().min(MIN_TTL_SECONDS).max(MAX_TTL_SECONDS).describe('Seconds');

/** Where a token came from. Only a session, which stands for a person at a sign-in form, may make tokens that outlive it. */
export const TokenKind = z.enum(['session', 'api', 'kubeconfig']);
export type TokenKind = z.infer<typeof TokenKind>;

export const Token = z.object({
  id: TokenId,
  kind: TokenKind,
  description: z.string(),
  cluster: ClusterId.nullable().describe('The one cluster it is good for; null: any that its person may reach'),
  readOnly: z.boolean(),
  createdAt: Moment,
  expiresAt: Moment,
});

export const createToken = endpoint({
  operation: 'createToken',
  summary: 'Make a token for oneself; one made with a token that is not a session ends with that token at the latest',
  method: 'POST',
  path: '/v1/tokens',
  who: 'person',
  scope: 'anything',
  body: z.strictObject({
    description: z.string().trim().max(256).default(''),
    ttlSeconds: ttl.default(DEFAULT_TTL_SECONDS),
    cluster: ClusterId.nullable().default(null),
    readOnly: z.boolean().default(false),
  }),
  status: 201,
  result: Token.extend({ token: z.string().describe('Bearer token; shown once') }),
  errors: ['unknown_cluster', 'conflict'],
});

export const listTokens = endpoint({
  operation: 'listTokens',
  summary: "The caller's own tokens that are good now, without the tokens",
  method: 'GET',
  path: '/v1/tokens',
  who: 'person',
  scope: 'reads',
  status: 200,
  result: listOf(Token),
  errors: [],
});

export const deleteToken = endpoint({
  operation: 'deleteToken',
  summary: 'Take a token back: it stops working within seconds. Administrators may take anybody’s',
  method: 'DELETE',
  path: '/v1/tokens/{token}',
  who: 'person',
  scope: 'anything',
  params: z.object({ token: TokenId }),
  status: 204,
  errors: ['not_found'],
});

export const getKubeconfig = endpoint({
  operation: 'getKubeconfig',
  summary: 'A kubeconfig for a cluster, with a new token of its own that is listed among the tokens',
  method: 'GET',
  path: '/v1/clusters/{cluster}/kubeconfig',
  who: 'cluster-member',
  // Reading it makes a credential.
  scope: 'anything',
  params: clusterParams,
  query: z.strictObject({
    ttl: z
      .string()
      .regex(/^\d{1,9}$/, 'a number of seconds')
      .transform(Number)
      .pipe(ttl)
      .default(DEFAULT_TTL_SECONDS),
    readonly: z
      .enum(['true', 'false'])
      .transform((text) => text === 'true')
      .default(false),
  }),
  status: 200,
  media: 'application/yaml',
  errors: ['conflict'],
});
