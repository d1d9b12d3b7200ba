import * as z from 'zod';
import { FIELDS, type Kubeconfig, type Section } from './document.ts';

/** A cluster behind a plane, as a kubeconfig gets it. */
export interface Reach {
  /** Origin of the plane. */
  readonly server: string;
  /** PEM of the plane's CA; undefined: a public one. */
  readonly ca: string | undefined;
  readonly clusterId: string;
  readonly clusterName: string;
  readonly contextName: string;
}

/** An entry of a section. */
export interface Entry {
  readonly section: Section;
  readonly name: string;
  /** Its `cluster`, `context` or `user`. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** Names the extension that marks an entry as ours; kubectl keeps extensions that it does not know. */
const MARK = 'outrider.dev';
const Mark = z.object({ server: z.string(), cluster: z.string(), name: z.string() });
/** Whose an entry is. */
export type Mark = z.infer<typeof Mark>;

const INSTALL_HINT =
  'outrider is needed to sign in to this cluster, and was not found. Install it with: npm install --global outrider';

/** Name of the entries for a cluster and its user: with a prefix, and the id, which no other cluster of any plane has. */
export const entryName = (clusterId: string): string => `outrider-${clusterId}`;

/** The three entries by which kubectl reaches a cluster through a plane, asking `outrider token` for who is calling. */
export function entriesFor({ server, ca, clusterId, clusterName, contextName }: Reach): readonly Entry[] {
  const name = entryName(clusterId);
  const extensions = [{ name: MARK, extension: { cluster: clusterId, name: clusterName, server } }];
  return [
    {
      section: 'clusters',
      name,
      value: {
        ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
        extensions,
        server: `${server}/k8s/clusters/${clusterId}`,
      },
    },
    { section: 'contexts', name: contextName, value: { cluster: name, extensions, user: name } },
    { section: 'users', name, value: { exec: execPlugin(server, clusterId), extensions } },
  ];
}

/** Kubernetes docs, "client-go credential plugins". The command is a bare name, which people may put into kuberc's `credentialPluginAllowlist`. */
function execPlugin(server: string, clusterId: string): object {
  return {
    apiVersion: 'client.authentication.k8s.io/v1',
    args: ['token', '--server', server, '--cluster', clusterId],
    command: 'outrider',
    env: null,
    installHint: INSTALL_HINT,
    interactiveMode: 'IfAvailable',
    provideClusterInfo: false,
  };
}

/** The mark of an entry, or null for one that we did not add. */
export function markOf(section: Section, entry: Kubeconfig[Section][number]): Mark | null {
  const extension = entry[FIELDS[section]]?.extensions?.find(({ name }) => name === MARK)?.extension;
  return extension === undefined ? null : (Mark.safeParse(extension).data ?? null);
}

/** An entry of ours that was found. */
export interface Own {
  readonly section: Section;
  readonly name: string;
  readonly mark: Mark;
}

/** The entries of ours in a kubeconfig that are meant. */
export function ownEntries(kubeconfig: Kubeconfig, isMeant: (own: Own) => boolean = () => true): Own[] {
  return (['clusters', 'contexts', 'users'] as const).flatMap((section) =>
    kubeconfig[section].flatMap((entry) => {
      const mark = markOf(section, entry);
      const own = mark === null ? null : { section, name: entry.name, mark };
      return own !== null && isMeant(own) ? [own] : [];
    }),
  );
}
