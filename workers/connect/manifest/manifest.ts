import { AGENT_CONFIG, AGENT_SECRET, NAMESPACE, REGISTRATION_SECRET } from '#schema/kube/names.ts';
import { hashSecret } from '../../authn/secret.ts';
import { toYaml, type YamlDocument } from '../../yaml.ts';
import { LABELS } from './labels.ts';
import { rbac } from './rbac.ts';
import { workload } from './workload.ts';

/** All that the manifest says; every value may be hostile, since it goes through objects and never through text. */
export interface ManifestFacts {
  readonly cluster: { readonly id: string; readonly name: string };
  /** Origin of the plane. */
  readonly server: string;
  /** PEM; null: the plane's certificate is publicly trusted. */
  readonly ca: string | null;
  readonly image: string;
  readonly registrationToken: string;
}

const base64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

const metadata = (name: string) => ({ name, namespace: NAMESPACE, labels: LABELS });

/** The restricted profile of Pod Security Standards, enforced; the agent needs nothing beyond it. */
const POD_SECURITY = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/audit': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
} as const;

/** The manifest that joins a cluster to the plane: what `kubectl apply -f` gets. */
export async function manifest(facts: ManifestFacts): Promise<string> {
  const { cluster, server, ca, image, registrationToken } = facts;
  const documents: YamlDocument[] = [
    {
      comment: `Joins this cluster to an Outrider plane. The plane's agent dials out; no port is opened.`,
      value: {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: NAMESPACE,
          labels: { 'app.kubernetes.io/part-of': 'outrider', ...POD_SECURITY },
          annotations: { 'outrider.dev/cluster': cluster.id, 'outrider.dev/cluster-name': cluster.name },
        },
      },
    },
    ...rbac(),
    {
      comment:
        "Filled by the agent: its private key never leaves the cluster. Without data here, a later apply leaves the agent's alone.",
      value: { apiVersion: 'v1', kind: 'Secret', metadata: metadata(AGENT_SECRET), type: 'Opaque' },
    },
    {
      comment: 'Good once, within an hour.',
      value: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: metadata(REGISTRATION_SECRET),
        type: 'Opaque',
        // Not stringData, which the API server never gives back: every apply would find it changed.
        data: { token: base64(registrationToken) },
      },
    },
    {
      comment: 'Where the plane is. With a ca.crt, that CA alone is trusted for it; without, the public ones.',
      value: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: metadata(AGENT_CONFIG),
        data: { server, 'ca.crt': ca ?? '' },
      },
    },
    ...workload(image, await hashSecret(JSON.stringify([registrationToken, server, ca]))),
  ];
  return toYaml(documents);
}
