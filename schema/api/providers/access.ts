import * as z from 'zod';
import { Principal } from './principals.ts';

/** Who may sign in through a provider. */
export const Access = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('anyone') }),
  z.strictObject({ mode: z.literal('groups'), principals: z.array(Principal).min(1).max(500) }),
  z.strictObject({ mode: z.literal('users'), principals: z.array(Principal).min(1).max(500) }),
]);
export type Access = z.output<typeof Access>;
