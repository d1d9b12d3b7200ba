import type { Endpoint } from '#schema/api/endpoint.ts';
import type { Deps, Handler, KnownCaller } from './handler.ts';

/** An endpoint and what it does, their types forgotten once they were seen to match. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly handler: (input: unknown, deps: Deps, caller: KnownCaller | null) => Promise<unknown>;
}

export const route = <E extends Endpoint>(endpoint: E, handler: Handler<E>): Route => ({
  endpoint,
  // http/call.ts makes the input and admits the caller by this very endpoint, which says what their types are.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript cannot tie the two together
  handler: handler as Route['handler'],
});
