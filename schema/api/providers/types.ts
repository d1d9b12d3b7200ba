import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { DirectoryConfig, DirectoryPassword } from '../../directory/config.ts';
import { directFault, DirectoryVia } from '../../directory/direct.ts';

/** Begins the principals of a provider, so it has no `_`; it stands in paths and Kubernetes group names, so it is plain. */
export const ProviderId = plain(
  z
    .string()
    .regex(/^[a-z][a-z0-9]{0,30}$/, 'one to 31 of a-z, 0-9; beginning with a letter')
    .refine((id) => id !== 'local' && id !== 'enabled', 'this id is taken'),
);

/** Made anew for each use: what is marked as plain for one would be for all. */
const asciiText = () =>
  z
    .string()
    .trim()
    .min(1)
    .max(256)
    .regex(/^[\x20-\x7e]*$/, 'printable ASCII is expected');

/** OpenID Connect Discovery 1.0 §3: https, no query, no fragment. */
const Issuer = z
  .string()
  .max(512)
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return url.protocol === 'https:' && url.search === '' && url.hash === '' && url.username + url.password === '';
  }, 'an https:// address without query and fragment is expected');

/** A name of a claim, or a way through nested ones: `realm_access.roles`. */
const ClaimName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces is expected');

/** RFC 6749 §3.3. */
const ScopeName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope is expected');

/** A host name, with a port where it has an unusual one. */
const Hostname = z
  .string()
  .trim()
  .toLowerCase()
  .max(255)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/, 'a host name is expected')
  .refine((host) => URL.canParse(`https://${host}`), 'a host name is expected');

/**
 * What a type of provider is configured by. `fixed`: settings that say whose word is believed. They cannot be changed, or people of another place would become those of this
 * one, and the secret would go to where it does not belong.
 */
interface ProviderType {
  readonly settings: z.ZodObject;
  /** Written and never read; each may be left out where it is to stay. */
  readonly secrets: z.ZodObject;
  readonly fixed: readonly string[];
}

const oidc = {
  settings: z.strictObject({
    issuer: plain(Issuer),
    clientId: plain(asciiText()),
    scopes: z
      .array(plain(ScopeName))
      .max(16)
      .default(['profile', 'email'])
      .describe('Asked for beside openid; offline_access lets groups be refreshed between sign-ins'),
    groupsClaim: plain(ClaimName).nullable().default('groups').describe('null: this provider has no groups'),
    nameClaim: plain(ClaimName).default('preferred_username').describe('What the name of a new person is made from'),
  }),
  secrets: z.strictObject({ clientSecret: asciiText().max(512).optional().describe('None: a public client') }),
  fixed: ['issuer'],
} satisfies ProviderType;

const github = {
  settings: z.strictObject({
    hostname: plain(Hostname).default('github.com').describe('github.com, or the host of a GitHub Enterprise'),
    clientId: plain(asciiText().regex(/^[A-Za-z0-9._-]+$/)).describe('Of an OAuth App'),
  }),
  secrets: z.strictObject({ clientSecret: asciiText().optional() }),
  fixed: ['hostname'],
} satisfies ProviderType;

const activedirectory = {
  settings: z.strictObject({
    via: DirectoryVia,
    ...DirectoryConfig.omit({ bindPassword: true }).shape,
  }),
  secrets: z.strictObject({ bindPassword: DirectoryPassword.optional() }),
  fixed: ['searchBase'],
} satisfies ProviderType;

/** The types of providers. A new one is a row here and one in `workers/authn/providers/types.ts`. */
export const PROVIDER_TYPES = { oidc, github, activedirectory } as const satisfies Record<string, ProviderType>;

export type ProviderTypeName = keyof typeof PROVIDER_TYPES;
export const ProviderTypeName = z.enum(['oidc', 'github', 'activedirectory']) satisfies z.ZodType<ProviderTypeName>;

/** What is shown of a configuration. */
export const ProviderSettings = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('oidc'), ...oidc.settings.shape }),
  z.strictObject({ type: z.literal('github'), ...github.settings.shape }),
  z.strictObject({ type: z.literal('activedirectory'), ...activedirectory.settings.shape }),
]);
export type ProviderSettings = z.output<typeof ProviderSettings>;

/** What is sent of a configuration: with its secrets. */
export const ProviderConfig = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('oidc'), ...oidc.settings.shape, ...oidc.secrets.shape }),
  z.strictObject({ type: z.literal('github'), ...github.settings.shape, ...github.secrets.shape }),
  z
    .strictObject({
      type: z.literal('activedirectory'),
      ...activedirectory.settings.shape,
      ...activedirectory.secrets.shape,
    })
    .superRefine(({ via, ...directory }, context) => {
      const fault = via.kind === 'direct' ? directFault(directory) : null;
      if (fault !== null) context.addIssue({ code: 'custom', ...fault });
    }),
]);
export type ProviderConfig = z.output<typeof ProviderConfig>;

/** Secrets of any type, as they are kept. */
export type ProviderSecrets = Readonly<Record<string, string | undefined>>;
