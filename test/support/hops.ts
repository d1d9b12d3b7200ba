/** The three legs of a request: each is one TLS connection, so that something in between sees bytes and no more. */
export type Leg = 'client-to-plane' | 'agent-to-plane' | 'agent-to-api-server';

/**
 * What lies on a leg: given the address that is to be reached, it answers the one to dial instead. Addresses are https
 * origins on this machine; host names must stay, for the certificate. A world asks for all its legs before it starts anything on them.
 */
export type Hops = (leg: Leg, target: string) => string | Promise<string>;

/** Nothing in between. */
export const straight: Hops = (_, target) => target;
