import type { AccountToken } from './calls.ts';

/** A token is replaced once this part of its life has passed, as the kubelet does with projected ones (`kubelet/token/token_manager.go`). */
const REFRESH_AT = 0.8;

/** A token that the API server answered 401 to is asked for anew, but not more often than this, ms: the 401 may be about something else. */
const INVALIDATE_MS = 60_000;

/** Attempts to refresh a token that still lives, ms apart. */
const RETRY_MS = 5_000;

/** A token that is about to expire is not sent any more, ms: clocks differ a little. */
const MARGIN_MS = 10_000;

interface Held extends AccountToken {
  /** Epoch milliseconds. */
  issuedAt: number;
}

/** The token of one service account: asked for when it is first needed, kept, and replaced in the background before it expires. */
export class Account {
  readonly name: string;
  readonly #request: () => Promise<AccountToken>;
  readonly #now: () => number;
  #held: Held | null = null;
  #pending: Promise<string> | null = null;
  #failedAt = Number.NEGATIVE_INFINITY;
  #invalidatedAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, request: () => Promise<AccountToken>, now: () => number = Date.now) {
    this.name = name;
    this.#request = request;
    this.#now = now;
  }

  /** The token if there is one that lives; starts its replacement when it is due. Costs nothing: every request asks. */
  current(): string | null {
    const held = this.#held;
    const now = this.#now();
    if (held === null || now >= held.expiresAt - MARGIN_MS) return null;
    const due = held.issuedAt + (held.expiresAt - held.issuedAt) * REFRESH_AT;
    if (now >= due && now - this.#failedAt >= RETRY_MS) this.#refresh().catch(() => undefined);
    return held.token;
  }

  /**
   * The token, asked for if need be.
   * @throws what the TokenRequest failed with.
   */
  async token(): Promise<string> {
    return this.current() ?? this.#refresh();
  }

  /**
   * The API server did not accept `token` (by default the current one): it was revoked, the account made anew, or the signing key changed.
   * @returns whether {@link Account.token} gives another one now.
   */
  refused(token: string | undefined = this.#held?.token): boolean {
    if (this.#held === null || this.#held.token !== token) return true;
    const now = this.#now();
    if (now - this.#invalidatedAt < INVALIDATE_MS) return false;
    this.#invalidatedAt = now;
    this.#held = null;
    return true;
  }

  #refresh(): Promise<string> {
    this.#pending ??= this.#request()
      .then((answer) => {
        this.#held = { ...answer, issuedAt: this.#now() };
        return answer.token;
      })
      .catch((error: unknown) => {
        this.#failedAt = this.#now();
        throw error;
      })
      .finally(() => {
        this.#pending = null;
      });
    return this.#pending;
  }
}
