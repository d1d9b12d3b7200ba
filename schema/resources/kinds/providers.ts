import * as z from 'zod';
import { Moment } from '../../api/endpoint.ts';
import { Access } from '../../api/providers/access.ts';
import { ProviderConfig, ProviderId, ProviderSettings, ProviderTypeName } from '../../api/providers/types.ts';
import { plain } from '../../audit/redact.ts';
import { kind } from '../kind.ts';
import { flagFilter, textFilter } from '../list.ts';

const managers = { who: 'authentication.manage', scope: 'anything' } as const;
const readers = { who: 'authentication.manage', scope: 'reads' } as const;

/** Three days bridge an outage over a weekend; no token lives longer than 90 days. */
const UnconfirmedHours = z
  .int()
  .min(1)
  .max(90 * 24)
  .describe(
    'How long what the provider said of somebody holds when it cannot be asked; then their groups are taken, and their tokens end if they have no other way in',
  );
const DEFAULT_UNCONFIRMED_HOURS = 72;

const DisplayName = plain(z.string().trim().min(1).max(128));

/**
 * Where people sign in besides a password here. Conditions: `Tested`: what the last test of the settings found, and of which generation; `Enabled`: people may sign in through it; `Refreshed`: it is asked about those
 * who have, and answers. It can be enabled while `Tested` is `True` of its present generation.
 */
export const ProviderKind = kind({
  kind: 'Provider',
  singular: 'provider',
  plural: 'providers',
  path: '/v1/auth/providers',
  id: ProviderId,
  name: ProviderId.describe('Its id, by which every principal of it begins'),
  renamable: false,
  spec: z.object({
    displayName: z.string(),
    enabled: z.boolean().describe('Changed by the actions enable and disable'),
    access: Access,
    unconfirmedHours: UnconfirmedHours,
    config: ProviderSettings.describe('Without its secrets'),
  }),
  create: z.strictObject({
    displayName: DisplayName,
    access: Access.default({ mode: 'anyone' }),
    unconfirmedHours: UnconfirmedHours.default(DEFAULT_UNCONFIRMED_HOURS),
    config: ProviderConfig,
  }),
  patch: z.strictObject({
    displayName: DisplayName.optional(),
    access: Access.optional(),
    unconfirmedHours: UnconfirmedHours.optional(),
    config: ProviderConfig.optional().describe('All of it; a secret that is left out stays'),
  }),
  status: z.object({
    checks: z
      .array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() }))
      .describe('What the last test found'),
    testedAt: Moment.nullable(),
    people: z.int().min(0).describe('Who has signed in through it, and is known there'),
    unconfirmed: z.int().min(0).describe('Those of them whose groups could not be asked for in the last two hours'),
  }),
  listing: {
    fields: {
      name: { filter: textFilter, sort: 'text' },
      displayName: { sort: 'text' },
      createdAt: { sort: 'number' },
      type: { filter: ProviderTypeName },
      enabled: { filter: flagFilter },
    },
    order: 'name',
  },
  verbs: {
    list: { ...readers, summary: 'All sign-in providers, without their secrets' },
    get: { ...readers, summary: 'A sign-in provider, without its secrets' },
    create: {
      ...managers,
      summary:
        'Add a sign-in provider; it is enabled once it was tested. One that a cluster asks, only an owner of that cluster may add',
      errors: ['unknown_cluster'],
    },
    patch: {
      who: 'administrator',
      scope: 'anything',
      summary:
        'Change a sign-in provider. Where it is enabled, new settings are tested first; people whom new access shuts out lose their tokens',
      errors: ['provider_untested', 'unknown_cluster'],
    },
    delete: {
      ...managers,
      summary:
        'Remove a sign-in provider with its principals and groups; people without another way in lose their tokens',
    },
  },
  actions: {
    test: {
      ...managers,
      operation: 'testProvider',
      summary:
        'Try the settings as far as can be told without a person; enables nothing. The condition Tested says what was found',
    },
    enable: {
      ...managers,
      operation: 'enableProvider',
      summary: 'Let people sign in through a provider that was tested in its present form',
      errors: ['provider_untested'],
    },
    disable: {
      ...managers,
      operation: 'disableProvider',
      summary: 'Let nobody sign in through a provider; people without another way in lose their tokens',
    },
  },
  links: { callback: '/v1/auth/providers/{id}/callback' },
});
