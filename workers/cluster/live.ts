import type { AccessSnapshot, Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { decide } from '../authz/policy.ts';
import type { Identity } from '../authz/policy.ts';
import type { RequestFacts } from '../authz/read-only.ts';

/** Hears why a request under way must end. */
export type OnRefused = (refusal: OutriderError) => void;

/** A request that was let in. */
export interface LiveRequest {
  /** Asks to be told when what let the request in is taken back; the answer ends the asking. */
  watch(onRefused: OnRefused): () => void;
}

/** What was let in, and as whom it was sent on. */
export interface Sent {
  readonly principal: Principal;
  readonly facts: RequestFacts;
  readonly identity: Identity;
}

/** The API server judged a request by its groups once, when it began. */
const lostGroup = (then: Identity, now: Identity): boolean => then.groups.some((group) => !now.groups.includes(group));

/** The requests under way of one cluster: an exec, a watch or a port-forward must not outlive the access that opened it. */
export class LiveRequests {
  readonly #watching = new Set<{ sent: Sent; onRefused: OnRefused }>();

  get size(): number {
    return this.#watching.size;
  }

  begin(sent: Sent): LiveRequest {
    return {
      watch: (onRefused) => {
        const entry = { sent, onRefused };
        this.#watching.add(entry);
        return () => this.#watching.delete(entry);
      },
    };
  }

  /**
   * Ends what a newer snapshot no longer allows. A token that has merely expired since ends nothing: an API server, too, asks for it when a request
   * begins and not while it runs.
   */
  judge(snapshot: AccessSnapshot): void {
    for (const { sent, onRefused } of this.#watching) {
      const { principal, facts, identity } = sent;
      const decision = decide(snapshot, principal, facts, principal.issuedAt);
      if (decision.allow === false) onRefused(new OutriderError(decision.code, decision.message));
      else if (decision.allow === true && lostGroup(identity, decision.identity)) {
        onRefused(new OutriderError('no_access', 'you have lost a group by which you were let in; ask again'));
      }
    }
  }
}
