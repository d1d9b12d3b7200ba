import { OutriderError } from '#schema/errors.ts';
import { meets, type Precondition } from '#schema/resources/precondition.ts';
import type { Change, Stored } from '../store/kinds/common/stored.ts';

/** The body of a PATCH, checked. */
export interface Patch {
  readonly metadata?:
    | {
        readonly name?: string | undefined;
        readonly resourceVersion?: string | undefined;
        readonly finalizers?: readonly string[] | undefined;
      }
    | undefined;
  readonly spec?: Readonly<Record<string, unknown>> | undefined;
}

/** What a PATCH comes to: nothing, a change, or the end of a deletion that has waited for its last finalizer. */
export type Decision = 'nothing' | 'remove' | Change<Spec>;

type Spec = Readonly<Record<string, unknown>>;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** @throws OutriderError precondition_failed: the resource is not what the request's If-Match names (RFC 9110 §13.1.1) */
export function refuseUnmet(before: Stored, precondition: Precondition | undefined): void {
  if (!meets(precondition, before.resourceVersion)) {
    throw new OutriderError('precondition_failed', 'it is not what If-Match names; read it again and decide anew');
  }
}

/**
 * What a PATCH does to a resource. Pure.
 * @throws OutriderError conflict: it has changed since it was seen, or is being deleted and cannot be changed so any more
 */
export function decide(before: Stored<Spec>, patch: Patch): Decision {
  const seen = patch.metadata?.resourceVersion;
  if (seen !== undefined && seen !== String(before.resourceVersion)) throw stale();
  const name = patch.metadata?.name ?? before.name;
  const finalizers = patch.metadata?.finalizers ?? before.finalizers;
  const given = Object.entries(patch.spec ?? {}).filter(([, value]) => value !== undefined);
  const spec = { ...before.spec, ...Object.fromEntries(given) };
  const respecified = !given.every(([field, value]) => same(value, before.spec[field]));
  const changed = respecified || name !== before.name;
  if (before.deletedAt !== null) {
    // Kubernetes `apimachinery/pkg/api/validation/objectmeta.go`, ValidateObjectMetaAccessorUpdate: no new finalizers in a deletion.
    if (changed || !finalizers.every((finalizer) => before.finalizers.includes(finalizer))) {
      throw new OutriderError('conflict', 'it is being deleted: finalizers can be removed, and nothing else changed');
    }
    if (finalizers.length === 0) return 'remove';
  }
  if (!changed && same(finalizers, before.finalizers)) return 'nothing';
  return { before, name, spec, finalizers, generation: before.generation + Number(respecified) };
}

/** Said to whoever changes what somebody else has changed meanwhile. */
export const stale = (): OutriderError =>
  new OutriderError('conflict', 'it has changed since; read it again and decide anew (metadata.resourceVersion)');
