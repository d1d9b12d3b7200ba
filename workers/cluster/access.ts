import type { AccessSnapshot, Principal } from '#schema/access.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { decide, type Identity } from '../authz/policy.ts';
import type { RequestFacts } from '../authz/read-only.ts';
import { UNKNOWN_FOR_MS } from './limits.ts';

/** What the snapshot's holder asks of its object. */
export interface AccessDeps {
  now(): number;
  /** The stored snapshot, if any. */
  load(): AccessSnapshot | null;
  /** Keeps a snapshot over evictions, where the object keeps anything. */
  save(snapshot: AccessSnapshot): void;
  /** Builds the current snapshot from the plane's database; null: there is no such cluster. */
  pull(): Promise<AccessSnapshot | null>;
}

/**
 * The access snapshot of one cluster (`design.md` §2): the newest version wins, whatever the order of arrival. It is pulled, once for all who wait, only when
 * there is none or when a token says that a newer one knows its person.
 */
export class Access {
  readonly #deps: AccessDeps;
  #held: AccessSnapshot | null | undefined;
  #pulling: Promise<AccessSnapshot | null> | null = null;
  #unknownUntil = 0;

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  get held(): AccessSnapshot | null {
    if (this.#held === undefined) this.#held = this.#deps.load();
    return this.#held;
  }

  /** Takes a pushed snapshot if it is newer; returns the version held afterwards. */
  put(snapshot: AccessSnapshot): number {
    const held = this.held;
    if (held !== null && held.version >= snapshot.version) return held.version;
    this.#held = snapshot;
    this.#deps.save(snapshot);
    return snapshot.version;
  }

  /** A snapshot of at least a version: the held one, or a pulled one. */
  async atLeast(version: number): Promise<AccessSnapshot> {
    const held = await this.current();
    if (held.version >= version) return held;
    // The first pull may have been under way since before the change.
    for (let pulls = 0; pulls < 2; pulls++) {
      const newer = await this.#pull();
      if (newer === null) throw unknownCluster();
      if (newer.version >= version) return newer;
    }
    throw new OutriderError('access_unavailable', 'the access data is older than the plane says; try again');
  }

  /** The cluster is gone. */
  forget(): void {
    this.#held = null;
  }

  /** The held snapshot, or a pulled one. */
  async current(): Promise<AccessSnapshot> {
    const snapshot = this.held ?? (await this.#pull());
    if (snapshot === null) throw unknownCluster();
    return snapshot;
  }

  /**
   * Who the API server is to be told is calling. At once where the snapshot that is held says so, which it nearly always does.
   * @throws OutriderError with the refusal; access_unavailable when a pull is needed and fails.
   */
  authorize(principal: Principal, facts: RequestFacts): Identity | Promise<Identity> {
    const { held } = this;
    const decision = held === null ? null : decide(held, principal, facts, this.#seconds());
    return decision?.allow === true ? decision.identity : this.#authorize(principal, facts);
  }

  async #authorize(principal: Principal, facts: RequestFacts): Promise<Identity> {
    const seconds = this.#seconds();
    let decision = decide(await this.current(), principal, facts, seconds);
    if (decision.allow === 'unknown') {
      const newer = await this.#pull();
      if (newer === null) throw unknownCluster();
      decision = decide(newer, principal, facts, seconds);
    }
    if (decision.allow === true) return decision.identity;
    if (decision.allow === false) throw new OutriderError(decision.code, decision.message);
    throw new OutriderError('access_unavailable', 'the access data is older than the token; try again');
  }

  #seconds(): number {
    return Math.floor(this.#deps.now() / 1000);
  }

  async #pull(): Promise<AccessSnapshot | null> {
    if (this.#deps.now() < this.#unknownUntil) return null;
    this.#pulling ??= this.#fetch().finally(() => (this.#pulling = null));
    return await this.#pulling;
  }

  async #fetch(): Promise<AccessSnapshot | null> {
    let snapshot: AccessSnapshot | null;
    try {
      snapshot = await this.#deps.pull();
    } catch {
      throw new OutriderError('access_unavailable', "the plane's database cannot be reached; try again");
    }
    if (snapshot === null) {
      this.#unknownUntil = this.#deps.now() + UNKNOWN_FOR_MS;
      return null;
    }
    this.put(snapshot);
    return this.held;
  }
}
