import { join } from 'node:path';
import { buildGoTools } from '#scripts/demo/tools/go.ts';

const VERSION = '3.22.0';

/** Builds the real helm if the cache lacks it. @returns its path. */
export async function installHelm(log: (line: string) => void): Promise<string> {
  const { binDir } = await buildGoTools(
    {
      name: 'helm',
      version: VERSION,
      moduleDir: join(import.meta.dirname, 'helm'),
      packages: ['helm.sh/helm/v3/cmd/helm'],
      linkValues: {
        'helm.sh/helm/v3/internal/version.version': `v${VERSION}`,
        // What `helm template` takes a cluster for when it asks none; the Makefile of helm sets the same.
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': '1',
        'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': '34',
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': '1',
        'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': '34',
      },
    },
    log,
  );
  return join(binDir, 'helm');
}
