import * as z from 'zod';

/** A resource's entity tag (RFC 9110 §8.8.3): its version. */
export const etagOf = (resourceVersion: string | number): string => `"${resourceVersion}"`;

/** Nobody has seen more versions of one resource at once, and what is compared with each is bounded. */
const MAX_TAGS = 16;
const MAX_LENGTH = 512;

/** RFC 9110 §8.8.3, `entity-tag`. */
const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
/** RFC 9110 §13.1.1; §5.6.1.2: a recipient takes empty elements of a list. */
const SYNTAX = new RegExp(String.raw`^(?:\*|(?:${TAG})?(?:[ \t]*,(?:[ \t]*${TAG})?)*)$`);

/** What a resource has to be for a request to be done: there, or one of these tags without their quotes. */
export type Precondition = '*' | readonly string[];

/**
 * The value of `If-Match`. A weak tag says that two representations are as good as each other, which is not enough to change one of them: it never matches
 * (§8.8.3.2, strong comparison).
 */
export const IfMatch: z.ZodType<Precondition, string> = z
  .string()
  .min(1)
  .max(MAX_LENGTH)
  .regex(SYNTAX, 'entity tags are expected, such as "7", or *')
  .transform((text, context): Precondition => {
    if (text === '*') return text;
    const tags = [...text.matchAll(/(W\/)?"([^"]*)"/g)];
    if (tags.length === 0 || tags.length > MAX_TAGS) {
      context.addIssue({ code: 'custom', message: `1 to ${MAX_TAGS} entity tags are expected` });
      return z.NEVER;
    }
    return tags.flatMap(([, weak, tag]) => (weak === undefined && tag !== undefined ? [tag] : []));
  });

/** Whether a resource of that version is what a request asked for; undefined: it asked for none. */
export const meets = (precondition: Precondition | undefined, resourceVersion: number): boolean =>
  precondition === undefined || precondition === '*' || precondition.includes(String(resourceVersion));

/** What endpoints read that change a resource. */
export const Preconditions = z.object({
  'if-match': IfMatch.optional().describe(
    'The ETag of what was seen (RFC 9110, If-Match): refuses (412) where the resource has changed since; `*`: it need only be there',
  ),
});
