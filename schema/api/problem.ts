import * as z from 'zod';

/** A refusal on `/v1` and `/connect`: RFC 9457, with our stable code. `type` is `about:blank` (§4.2.1): the code says it all. */
export const Problem = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().describe('Stable; see schema/errors.ts'),
  requestId: z.string().describe('Names the request in the log of the plane'),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .describe('What is wrong with the request, by place'),
});
export type Problem = z.infer<typeof Problem>;
