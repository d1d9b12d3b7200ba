import * as z from 'zod';
import { Moment } from '../api/endpoint.ts';
import { plain } from '../audit/redact.ts';

/** Kubernetes' own bound is the size of the object; nobody has needed more than a few. */
const MAX_FINALIZERS = 16;

/** Without what would break a line, hide what follows, or be no character at all (Unicode: Cc, Cf, Cs, Zl, Zp). */
const LINE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

/** A name that people give, of a kind that wants no other form. */
export const Name = plain(
  z.string().trim().min(1).max(64).regex(LINE, 'one to 64 characters, none of them a control character'),
);

/** What people say of a resource. */
export const Description = z.string().trim().max(256).regex(LINE, 'no control characters are expected');

/** `domain/name`, as Kubernetes asks of finalizers ("Finalizers": qualified names). */
const Finalizer = plain(
  z
    .string()
    .max(128)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'domain/name is expected'),
);

/** Who wants to be asked before a resource goes: each removes its own entry once it has cleaned up. */
export const Finalizers = z
  .array(Finalizer)
  .max(MAX_FINALIZERS)
  .refine((names) => new Set(names).size === names.length, 'every finalizer must be different');

/** Compared for equality and nothing else (Kubernetes "API Concepts", "Resource versions"). */
export const ResourceVersion = plain(
  z.string().regex(/^\d{1,16}$/, 'a resourceVersion that the plane gave out is expected'),
);

/** What every resource says of itself. */
export const Metadata = z.object({
  name: z.string(),
  generation: z.int().min(1).describe('Rises with every change of the spec'),
  resourceVersion: ResourceVersion.describe(
    'Rises with every change; send it along in a PATCH to change only what you have seen',
  ),
  createdAt: Moment,
  finalizers: z.array(z.string()).describe('While there are any, a deleted resource is still there'),
  deletedAt: Moment.nullable().describe('When its deletion began; null: it is not being deleted'),
});

/** One thing that is, or is not, so about a resource (Kubernetes `apimachinery/pkg/apis/meta/v1/types.go`, `Condition`). */
export const Condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().describe('One word, for programs'),
  message: z.string(),
  lastTransitionTime: Moment,
  observedGeneration: z.int().min(0).describe('The generation of the spec that this was found out about'),
});
export type Condition = z.infer<typeof Condition>;
