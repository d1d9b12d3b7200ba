import * as z from 'zod';
import { OutriderError } from '#schema/errors.ts';
import type { Config } from '../env.ts';
import { verify } from './token.ts';

/** An operator's token lives this long at most: it is made for one call. */
const OPERATOR_TOKEN_SECONDS = 300;

const OPERATOR = {
  audience: 'outrider-operator',
  type: 'JWT',
  claims: z.object({ sub: z.literal('operator'), iat: z.int().min(0), exp: z.int().min(0) }),
} as const;

/**
 * Whoever holds the signing key runs this plane, and may set it up. Nothing else is open to them by this.
 * @throws OutriderError unauthenticated
 */
export async function verifyOperator(config: Config, token: string, now: number): Promise<void> {
  const { iat, exp } = await verify(config, OPERATOR, token, now);
  if (exp - iat > OPERATOR_TOKEN_SECONDS || iat > now + OPERATOR_TOKEN_SECONDS) {
    throw new OutriderError('unauthenticated', `an operator's token may live ${OPERATOR_TOKEN_SECONDS} s at most`);
  }
}
