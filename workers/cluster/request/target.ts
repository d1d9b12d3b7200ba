import { OutriderError } from '#schema/errors.ts';

/** Where agents dial, as a Worker and the object see it. */
export const CONNECT_PATH = '/connect/tunnel';

/** Whether a URL is where agents dial. Every request of the proxy asks, so it is not taken apart. */
export const isDial = (url: string): boolean => pathOf(url) === CONNECT_PATH;

/** The path of an absolute URL, as the platform normalised it: from the first slash behind the authority to the query. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

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
