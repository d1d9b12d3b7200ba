import type { ProviderSecrets, ProviderSettings } from '#schema/api/providers/types.ts';
import { OutriderError } from '#schema/errors.ts';
import { type DirectoryIdentity, directoryProvider } from './directory.ts';
import { type Connector, type ConnectorContext, type ExternalIdentity, ProviderUnavailable } from './provider.ts';

type Settings = Extract<ProviderSettings, { type: 'activedirectory' }>;

/** An Active Directory, which a cluster's agent asks or the plane itself. */
export function activeDirectory(settings: Settings, secrets: ProviderSecrets, context: ConnectorContext): Connector {
  const { type: _type, via, ...shown } = settings;
  const directory = directoryProvider(
    context.id,
    { ...shown, bindPassword: secrets['bindPassword'] ?? '' },
    async (question) => await context.ask(via, question),
  );
  return {
    password: {
      signIn: async (name, password) => {
        const somebody = await answered(async () => await directory.signIn(name, password));
        return somebody === null ? null : identityOf(somebody);
      },
    },
    test: async () => {
      try {
        const { server } = await answered(async () => await directory.test());
        return [{ name: 'directory', ok: true, detail: `${server} answers, and shows people and groups` }];
      } catch (error) {
        if (!(error instanceof ProviderUnavailable)) throw error;
        return [{ name: 'directory', ok: false, detail: error.message }];
      }
    },
    refresh: async (principal) => {
      const somebody = await answered(async () => await directory.refresh(principal));
      if (somebody === null) return { outcome: 'gone', detail: 'not in the directory, disabled, or expired' };
      return { outcome: 'confirmed', identity: identityOf(somebody) };
    },
    search: async (text) =>
      (await answered(async () => await directory.search(text))).map(({ loginName, ...found }) => ({
        ...found,
        name: loginName,
      })),
  };
}

/** The directory is asked by an account of its own: nothing of a person's is needed for it. */
const identityOf = (somebody: DirectoryIdentity): ExternalIdentity => ({ ...somebody, grant: '' });

/** An agent or a directory that does not answer says nothing about anybody. @throws ProviderUnavailable */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OutriderError) throw new ProviderUnavailable(error.message, null, TOLD[error.code] ?? SILENT);
    throw error;
  }
}

/** Which hop is broken, for whoever wants to sign in: without the names of servers, which an agent says. */
const SILENT = 'the directory does not answer as it should';
const TOLD: Partial<Record<OutriderError['code'], string>> = {
  tunnel_down: 'the cluster by which the directory is asked is not connected',
  unknown_cluster: 'the cluster by which the directory is asked is gone',
  agent_outdated: 'the agent of the cluster by which the directory is asked is too old',
  agent_timeout: 'the directory does not answer in time',
};
