import { OutriderError } from '#schema/errors.ts';

/** Where agents dial. */
export const CONNECT_PATH = '/connect/tunnel';

/** The path of an absolute URL, as the platform normalised it: from the first slash behind the authority to the query. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

/** `/k8s/clusters/<id>` and what follows, unchanged: `%2F`, `//` and the query stay as the client sent them. */
const PROXY_PATH = /^[a-z]+:\/\/[^/]+\/k8s\/clusters\/([^/?#]+)([^#]*)/;

/** Which cluster a URL of the proxy names, and the target for its API server. */
export interface ProxyTarget {
  readonly cluster: string;
  readonly target: string;
}

/** Null for a URL that is not the proxy's. */
export function parseProxyUrl(url: string): ProxyTarget | null {
  const match = PROXY_PATH.exec(url);
  if (match === null) return null;
  const rest = match[2] ?? '';
  return { cluster: match[1] ?? '', target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** As {@link parseProxyUrl}. @throws OutriderError for any other URL */
export function proxyUrl(url: string): ProxyTarget {
  const parsed = parseProxyUrl(url);
  if (parsed === null) throw notOfProxy();
  return parsed;
}

export const notOfProxy = (): OutriderError =>
  new OutriderError('not_found', 'the path is /k8s/clusters/<cluster id>/…');
