import * as z from 'zod';
import { endpoint } from '../endpoint.ts';

/** The one client that people sign in with by a code; it has no secret (RFC 8252 §8.4). */
export const CLI_CLIENT_ID = 'outrider-cli';

/** RFC 8628 §3.4. */
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** Longest of any parameter but `redirect_uri`: a made-up one costs nothing more to hash or to refuse. */
const MAX_PARAMETER = 256;
export const MAX_REDIRECT_URI = 256;

const parameter = z.string().min(1).max(MAX_PARAMETER);

/** RFC 6749 §5.1, without refresh tokens: whoever wants another signs in again. */
const AccessToken = z.object({
  access_token: z.string().describe('Bearer token; shown once'),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('Seconds'),
});

export const startDevice = endpoint({
  operation: 'startDevice',
  summary: 'Ask for a code that a person types in a browser (RFC 8628 §3.1)',
  method: 'POST',
  path: '/v1/auth/device/code',
  who: 'anyone',
  scope: 'anything',
  encoding: 'form',
  body: z.object({
    client_id: parameter,
    device_name: z
      .string()
      .max(64)
      .default('')
      .describe('What the device calls itself; shown to the person as its own words'),
  }),
  status: 200,
  result: z.object({
    device_code: z.string().min(1).max(1024),
    user_code: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
    verification_uri: z.url().max(2048),
    verification_uri_complete: z.url().max(2048),
    expires_in: z.int().positive().max(3600).describe('Seconds'),
    interval: z.int().positive().max(300).describe('Seconds between two polls at least'),
  }),
  errors: ['throttled'],
});

export const pollDevice = endpoint({
  operation: 'pollDevice',
  summary: 'Ask whether the person has decided (RFC 8628 §3.4)',
  method: 'POST',
  path: '/v1/auth/device/token',
  who: 'anyone',
  scope: 'anything',
  encoding: 'form',
  body: z.object({ grant_type: parameter, device_code: parameter, client_id: parameter }),
  status: 200,
  result: AccessToken,
  errors: [],
});

export const exchangeCode = endpoint({
  operation: 'exchangeCode',
  summary: 'Exchange an authorization code for a token (RFC 6749 §4.1.3, RFC 7636 §4.5)',
  method: 'POST',
  path: '/v1/auth/cli/token',
  who: 'anyone',
  scope: 'anything',
  encoding: 'form',
  body: z.object({
    grant_type: parameter,
    code: parameter,
    redirect_uri: z.string().min(1).max(MAX_REDIRECT_URI),
    client_id: parameter,
    code_verifier: parameter,
  }),
  status: 200,
  result: AccessToken,
  errors: [],
});
