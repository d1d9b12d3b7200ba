import * as z from 'zod';
import { endpoint } from '../endpoint.ts';
import { ProviderId } from './types.ts';

// What a browser does at a provider. Declared for the document and the audit log, and mounted by itself (`workers/api/providers/flow.ts`): cookies are what it brings and takes.

const params = z.object({ provider: ProviderId });

/** Longer would not fit the cookie, with the rest of what a sign-in has to remember, into the 4 KiB that browsers keep. */
const MAX_RETURN_TO = 1024;

/**
 * Where a browser goes after it has signed in: a path of this plane, or it would be an open redirect. `//host` and `/\\host` are addresses of other hosts to a browser (WHATWG URL,
 * "relative slash state").
 */
const ReturnTo = z
  .string()
  .max(MAX_RETURN_TO)
  .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, 'a path of this plane is expected');

export const startBrowserSignIn = endpoint({
  operation: 'startBrowserSignIn',
  summary: 'Send a browser to a sign-in provider, with what it must bring back in a cookie',
  method: 'GET',
  path: '/v1/auth/providers/{provider}/start',
  who: 'anyone',
  scope: 'reads',
  browser: 'either',
  params,
  // Without a place to go, the page that says who is signed in.
  query: z.strictObject({ returnTo: ReturnTo.default('/login') }),
  status: 302,
  errors: ['not_found', 'sign_in_failed', 'provider_unavailable'],
});

/** RFC 6749 §4.1.2: what a provider sends is read from the address by the provider's own module, with whatever else it has added. */
const answered = (what: string): z.ZodOptional<z.ZodString> => z.string().max(4096).optional().describe(what);

export const endBrowserSignIn = endpoint({
  operation: 'endBrowserSignIn',
  summary: 'Where a sign-in provider sends the browser back to; begins a session in a cookie',
  method: 'GET',
  path: '/v1/auth/providers/{provider}/callback',
  who: 'anyone',
  scope: 'anything',
  browser: 'either',
  params,
  query: z.looseObject({
    state: answered('As it was sent to the provider'),
    code: answered('The provider’s code, good once'),
    error: answered('Why the provider sends none'),
  }),
  status: 303,
  errors: ['sign_in_failed', 'sign_in_refused', 'provider_unavailable', 'not_found', 'conflict'],
});
