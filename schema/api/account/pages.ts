import * as z from 'zod';
import { endpoint, HTML } from '../endpoint.ts';
import { MAX_DIRECTORY_PASSWORD } from '../providers/password.ts';
import { MAX_TYPED } from './auth.ts';
import { CLI_CLIENT_ID, MAX_REDIRECT_URI } from './oauth.ts';

// The pages by which people sign in, and sign their devices in (`workers/api/pages`). They take an address that a person may have typed or been sent: what is too much in it is passed over.

/** What every page has in common: whoever is signed in is seen by their cookie, and who is not is led to the form. */
const page = { who: 'anyone', scope: 'reads', browser: 'page', status: 200, media: HTML } as const;
const form = { ...page, encoding: 'form' } as const;

/** Proof that a form was made for this session and what it asks. */
const csrf = z.string().max(64);
const decision = z.enum(['approve', 'deny']);

/** Looked at more closely before anybody is led there. */
const returnTo = z.string().max(4096).default('');
/** None: the plane's own. */
const provider = z.string().max(64).default('');

export const showFront = endpoint({
  ...page,
  operation: 'showFront',
  summary: 'Lead to the page of who is signed in',
  method: 'GET',
  path: '/',
  leads: 303,
  errors: [],
});

export const showLogin = endpoint({
  ...page,
  operation: 'showLogin',
  summary: 'The form to sign in with; to whoever is signed in, who they are and what they can do next',
  method: 'GET',
  path: '/login',
  query: z.object({ returnTo, provider: provider.describe('Whose name and password to ask for') }),
  leads: 303,
  errors: ['not_found'],
});

export const signInByForm = endpoint({
  ...form,
  operation: 'signInByForm',
  summary: 'Sign in with a name and a password, of the plane or of a directory',
  method: 'POST',
  path: '/login',
  body: z.object({
    username: z.string().trim().min(1).max(MAX_TYPED),
    password: z.string().min(1).max(MAX_DIRECTORY_PASSWORD),
    newPassword: z.string().max(MAX_TYPED).optional(),
    returnTo,
    provider,
  }),
  leads: 303,
  errors: [
    'cross_origin',
    'not_found',
    'unauthenticated',
    'invalid_credentials',
    'password_change_required',
    'sign_in_refused',
    'provider_unavailable',
    'throttled',
    'conflict',
  ],
});

export const signOutByForm = endpoint({
  ...form,
  operation: 'signOutByForm',
  summary: 'End the session of this browser',
  method: 'POST',
  path: '/logout',
  errors: ['cross_origin'],
});

/** RFC 8628 §3.3. */
const userCode = z.string().max(32);

export const showDevice = endpoint({
  ...page,
  operation: 'showDevice',
  summary: 'Ask for the code that a device shows, then whether it may act for its person',
  method: 'GET',
  path: '/device',
  query: z.object({ user_code: userCode.default('') }),
  leads: 303,
  errors: ['not_found', 'throttled'],
});

export const decideByForm = endpoint({
  ...form,
  operation: 'decideByForm',
  summary: 'Let a device act for the person, or refuse it',
  method: 'POST',
  path: '/device',
  body: z.object({ user_code: userCode, csrf, decision }),
  errors: ['cross_origin', 'unauthenticated', 'forbidden', 'not_found', 'throttled'],
});

/** RFC 6749 §4.1.1, RFC 7636 §4.3. `state` is asked for: without it the program could not tell an answer to its question from another's. */
const consent = {
  response_type: z.literal('code').describe('`code`, and nothing else'),
  client_id: z.literal(CLI_CLIENT_ID).describe('Which program asks'),
  redirect_uri: z.string().max(MAX_REDIRECT_URI).describe('Where it listens: http://127.0.0.1:<port>/…'),
  state: z
    .string()
    .regex(/^[\x21-\x7E]{1,256}$/)
    .describe('The program’s own, given back to it'),
  code_challenge: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .describe('RFC 7636 §4.2'),
  code_challenge_method: z.literal('S256').describe('RFC 7636 §4.3'),
} as const;

export const showConsent = endpoint({
  ...page,
  operation: 'showConsent',
  summary: 'Ask whether a program on this machine may act for its person (RFC 6749 §4.1.1)',
  method: 'GET',
  path: '/v1/auth/cli/authorize',
  query: z.object(consent),
  leads: 303,
  errors: [],
});

export const consentByForm = endpoint({
  browser: 'page',
  encoding: 'form',
  who: 'anyone',
  scope: 'reads',
  operation: 'consentByForm',
  summary: 'Lead back to the program, with a code or with the refusal (RFC 6749 §4.1.2)',
  method: 'POST',
  path: '/v1/auth/cli/authorize',
  body: z.object({ ...consent, csrf, decision }),
  status: 303,
  errors: ['cross_origin', 'unauthenticated', 'forbidden'],
});
