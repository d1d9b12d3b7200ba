import { OutriderError } from '#schema/errors.ts';
import { SAFE_METHODS } from '#schema/http/methods.ts';

const refused = (detail: string): OutriderError => new OutriderError('cross_origin', detail);

/**
 * Lets through what a script of the plane's own pages asks with its session cookie, and nothing that another site had a browser ask for (CVE-2019-13209).
 *
 * - Origin must be the plane's. Browsers send it with every unsafe method and every WebSocket (Fetch, "append a request `Origin` header"; RFC 6455 §4.1), and no script can set
 *   it; so there is no CSRF token on the API beside it. Without one only a safe method goes on, and only where `Sec-Fetch-Site` says that the page is ours: some GETs make
 *   something (a kubeconfig, a service behind `proxy`).
 * - A page, a frame or an image is never what such an answer is for (`Sec-Fetch-Dest`): what a cluster serves must not become a page that has the session.
 *
 * @param origin the plane's
 * @throws OutriderError cross_origin
 */
export function requireOwnPage({ method, headers }: Request, origin: string): void {
  const from = headers.get('origin');
  const websocket = headers.get('upgrade')?.toLowerCase() === 'websocket';
  if (from !== null) {
    if (from !== origin) throw refused('a session is good on the plane’s own pages only');
  } else if (websocket || !SAFE_METHODS.has(method)) {
    throw refused('a request with a session cookie must say its Origin; use a token outside of a browser');
  } else if (headers.get('sec-fetch-site') !== 'same-origin') {
    throw refused('a session is good on the plane’s own pages only; use a token outside of a browser');
  }
  const destination = headers.get('sec-fetch-dest');
  if (!websocket && destination !== null && destination !== 'empty') {
    throw refused('with a session cookie this address answers scripts of the plane’s own pages, and is no page itself');
  }
}

/** The same for a form of the plane's own pages. @throws OutriderError cross_origin */
export function requireOwnForm({ headers }: Request, origin: string): void {
  if (headers.get('origin') !== origin) throw refused('the form must be sent from the plane’s own page');
}
