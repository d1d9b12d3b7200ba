import { OutriderError } from '#schema/errors.ts';

/** Where agents dial, as a Worker and the object see it. */
export const CONNECT_PATH = '/connect/tunnel';

/** `/k8s/clusters/<id>` and what follows, unchanged: `%2F`, `//` and the query stay as the client sent them. */
const PROXY_PATH = /^[a-z]+:\/\/[^/]+\/k8s\/clusters\/([^/?#]+)([^#]*)/;

/** The cluster id and the target for its API server in a URL of the proxy; null for any other URL. */
export function parseProxyUrl(url: string): { cluster: string; target: string } | null {
  const match = PROXY_PATH.exec(url);
  if (match === null) return null;
  const rest = match[2] ?? '';
  return { cluster: match[1] ?? '', target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** @throws OutriderError for a URL that is not the proxy's. */
export function proxyUrl(url: string): { cluster: string; target: string } {
  const parsed = parseProxyUrl(url);
  if (parsed === null) throw new OutriderError('not_found', 'the path is /k8s/clusters/<cluster id>/…');
  return parsed;
}
