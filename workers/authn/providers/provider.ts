import type { DirectoryVia } from '#schema/directory/direct.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import type { Config } from '../../env.ts';

/** A group somebody is in at a provider. */
export interface ExternalGroup {
  readonly principal: string;
  readonly displayName: string;
}

/** Who somebody is at a provider. */
export interface ExternalIdentity {
  readonly principal: string;
  /** What they are called there; a name here is made from it. Proves nothing: names are given away and taken again. */
  readonly loginName: string;
  readonly displayName: string;
  readonly groups: readonly ExternalGroup[];
  /** What {@link Connector.refresh} will ask with, in the clear; empty: it needs nothing of theirs; null: it cannot ask, they must sign in again. */
  readonly grant: string | null;
}

/** What a browser's sign-in needs once the browser comes back. Kept by the browser, sealed. */
export interface Remembered {
  readonly state: string;
  readonly nonce: string;
  /** RFC 7636 §4.1. */
  readonly verifier: string;
}

/** A way to sign in through a browser that is sent to the provider and comes back. */
export interface RedirectFlow {
  /** Where to send the browser. @throws ProviderUnavailable */
  begin(flow: Remembered): Promise<string>;
  /**
   * Who came back, with the query of the callback. `state` was compared already, and is compared again.
   * @throws ProviderRefusal, ProviderUnavailable
   */
  finish(flow: Remembered, query: URLSearchParams): Promise<ExternalIdentity>;
}

/** A way to sign in with a name and a password that the provider judges. */
export interface PasswordFlow {
  /** Null: the name or the password is wrong. @throws ProviderRefusal, ProviderUnavailable */
  signIn(name: string, password: string): Promise<ExternalIdentity | null>;
}

/** What a provider says of somebody now. `gone`: no such person, or the grant was taken back. `cannot_ask`: nothing to ask with. */
export type Refreshed =
  | { readonly outcome: 'confirmed'; readonly identity: ExternalIdentity }
  | { readonly outcome: 'gone' | 'cannot_ask'; readonly detail: string };

/** Somebody or some group that a search found. */
export interface Found {
  readonly principal: string;
  readonly kind: 'user' | 'group';
  readonly name: string;
  readonly displayName: string;
}

/** One thing that was tried of a configuration. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** For the administrator; without secrets. */
  readonly detail: string;
}

/** What the plane does with a provider; made from its configuration for one use. */
export interface Connector {
  readonly redirect?: RedirectFlow;
  readonly password?: PasswordFlow;
  /** Tries the configuration as far as can be told without a person. Failures are checks that are not ok. */
  test(): Promise<Check[]>;
  /**
   * @param grant what an {@link ExternalIdentity} brought, or null
   * @throws ProviderUnavailable
   */
  refresh(principal: string, grant: string | null): Promise<Refreshed>;
  /** At the provider itself, at most {@link MAX_FOUND}; groups it has named before are found besides. @throws ProviderUnavailable */
  search(query: string): Promise<Found[]>;
}

/** More is no answer to a search. */
export const MAX_FOUND = 50;

/** Has a directory asked, by whom its configuration says. @throws OutriderError where there is no answer */
export type AskVia = (via: DirectoryVia, question: DirectoryQuestion) => Promise<DirectoryAnswer>;

/** What a connector is made with. */
export interface ConnectorContext {
  /** Of the provider: begins its principals. */
  readonly id: string;
  /** Where the browser comes back to. */
  readonly callbackUrl: string;
  readonly ask: AskVia;
}

/** Where the browser comes back to from a provider. */
export const callbackUrl = ({ publicUrl }: Pick<Config, 'publicUrl'>, id: string): string =>
  `${publicUrl}/v1/auth/providers/${id}/callback`;

/** The provider, or what it said, does not let somebody in. `message` is for the person: no secrets, nothing of what was sent. */
export class ProviderRefusal extends Error {
  constructor(detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ProviderRefusal';
  }
}

/** The provider cannot be asked now: it is down, slow, or limits the rate. Says nothing about anybody. */
export class ProviderUnavailable extends Error {
  /** Seconds until it may be asked again, if it said so. */
  readonly retryAfter: number | null;
  /** What anybody may be told: `message` may name servers inside a company, and is for administrators. */
  readonly told: string;
  constructor(detail: string, retryAfter: number | null = null, told = detail) {
    super(detail);
    this.name = 'ProviderUnavailable';
    this.retryAfter = retryAfter;
    this.told = told;
  }
}
