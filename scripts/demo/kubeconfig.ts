import { readFile, writeFile } from 'node:fs/promises';
import type { CertificateFiles } from './pki.ts';

/** One cluster, one user, one context, as `kubectl config` would write it. */
export type KubeconfigOptions = {
  /** Name of the cluster and of the context. */
  cluster: string;
  user: string;
  /** https URL of the API server. */
  server: string;
  caPem: string;
  certificate: CertificateFiles;
};

/** Writes a kubeconfig with everything inside it, so that it can be copied elsewhere. JSON is YAML; kubectl reads both. */
export async function writeKubeconfig(file: string, options: KubeconfigOptions): Promise<void> {
  const { cluster, user, server, caPem, certificate } = options;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(Buffer.from(caPem)) } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(await readFile(certificate.cert)),
          'client-key-data': base64(await readFile(certificate.key)),
        },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user } }],
    'current-context': cluster,
  };
  await writeFile(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64');
}
