import type { ProviderSecrets, ProviderSettings, ProviderTypeName } from '#schema/api/providers/types.ts';
import { activeDirectory } from './active-directory.ts';
import { gitHub } from './github/github.ts';
import { openIdConnect } from './oidc/oidc.ts';
import type { Connector, ConnectorContext } from './provider.ts';

type SettingsOf<T extends ProviderTypeName> = Extract<ProviderSettings, { type: T }>;

type Make<T extends ProviderTypeName> = (
  settings: SettingsOf<T>,
  secrets: ProviderSecrets,
  context: ConnectorContext,
) => Connector;

/** How each type of provider is spoken to. */
const CONNECTORS: { readonly [T in ProviderTypeName]: Make<T> } = {
  oidc: openIdConnect,
  github: gitHub,
  activedirectory: activeDirectory,
};

/** What speaks to a provider. */
export function connectorFor<T extends ProviderTypeName>(
  settings: SettingsOf<T>,
  secrets: ProviderSecrets,
  context: ConnectorContext,
): Connector {
  const make: Make<T> = CONNECTORS[settings.type];
  return make(settings, secrets, context);
}

/** Whether people type their name and password here, and not at the provider. */
export const signsInByPassword = (type: ProviderTypeName): boolean => type === 'activedirectory';
