import * as z from 'zod';
import { endpoint } from '../endpoint.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** No token lives longer than a year and a day, whatever the setting: what is lost and not noticed stops working by itself. */
export const LONGEST_TOKEN_SECONDS = 366 * DAY;

/** Each with its range; {@link DEFAULT_SETTINGS} are what holds where nobody has set anything. */
const SETTINGS = {
  maxTokenTtlSeconds: z
    .int()
    .min(60)
    .max(LONGEST_TOKEN_SECONDS)
    .describe('How long an API or kubeconfig token may live at most; tokens that exist keep their expiry'),
  sessionTtlSeconds: z
    .int()
    .min(HOUR / 4)
    .max(30 * DAY)
    .describe('After how long a session ends, however busy'),
  sessionIdleSeconds: z
    .int()
    .min(HOUR / 4)
    .max(30 * DAY)
    .describe(
      'After how long a browser’s session ends if nothing is asked; holds for sessions that begin after the change',
    ),
  maxPasswordAgeSeconds: z
    .int()
    .min(DAY)
    .max(3660 * DAY)
    .nullable()
    .describe(
      'After how long a password must be changed at the next sign-in with it; null: never. NIST SP 800-63B §3.1.1.2 advises against this: people who must change passwords choose worse ones. Sessions and tokens that exist go on',
    ),
} as const;

export const Settings = z.object(SETTINGS);
export type Settings = z.infer<typeof Settings>;

/** Rancher's quarter of a year for tokens; for a session a working day and what is left of it at home, and two hours of silence. Passwords do not age (NIST SP 800-63B §3.1.1.2). */
export const DEFAULT_SETTINGS: Settings = {
  maxTokenTtlSeconds: 90 * DAY,
  sessionTtlSeconds: 16 * HOUR,
  sessionIdleSeconds: 2 * HOUR,
  maxPasswordAgeSeconds: null,
};

export const getSettings = endpoint({
  operation: 'getSettings',
  summary: 'The settings of the plane',
  method: 'GET',
  path: '/v1/settings',
  who: 'settings.manage',
  scope: 'reads',
  status: 200,
  result: Settings,
  errors: [],
});

export const updateSettings = endpoint({
  operation: 'updateSettings',
  summary: 'Change settings; what is left out stays',
  method: 'PATCH',
  path: '/v1/settings',
  who: 'settings.manage',
  scope: 'anything',
  body: z.strictObject(SETTINGS).partial(),
  status: 200,
  result: Settings,
  errors: [],
});
