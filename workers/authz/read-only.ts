import { SAFE_METHODS } from '#schema/http/methods.ts';

/** What a decision needs to know of a request. `target`: path and query as the API server will see them. */
export interface RequestFacts {
  method: string;
  target: string;
  upgrade: boolean;
}

/**
 * Subresources that run something or reach past the API server, whatever the method: exec is a GET over WebSocket
 * (kubernetes#134577), and `proxy` hands the request to a pod, a service or a kubelet.
 */
const ACTING = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** POSTs that only ask a question about the caller: what `kubectl auth can-i` and `auth whoami` send. */
const QUESTIONS = new Set([
  '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
  '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
  '/apis/authentication.k8s.io/v1/selfsubjectreviews',
]);

/** Why a read-only token may not send this request; null: it may. Fails closed on paths that it cannot read. */
export function refusedToReadOnly({ method, target, upgrade }: RequestFacts): string | null {
  if (upgrade) return 'it may not open exec, attach or port-forward sessions';
  const path = pathOf(target);
  if (path === null) return 'the path is not valid';
  if (!SAFE_METHODS.has(method)) {
    return method === 'POST' && QUESTIONS.has(path) ? null : `it may not ${method}`;
  }
  return acts(path) ? 'it may not use exec, attach, portforward or proxy' : null;
}

/** The path as Go's server will split it: decoded once, empty segments refused (no client sends them, and layers disagree on them). */
function pathOf(target: string): string | null {
  const raw = target.split('?', 1)[0] ?? '';
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return null;
  }
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  return trimmed.includes('//') ? null : trimmed;
}

/**
 * Whether the path names an acting subresource. `/api/v1/…` and `/apis/group/version/…`, then perhaps `watch` or `proxy` (a prefix of old),
 * perhaps `namespaces/name`, then resource, name, subresource. Other paths (`/logs`, discovery, `/metrics`) never act.
 */
function acts(path: string): boolean {
  const segments = path.slice(1).split('/');
  const prefix = segments[0] === 'api' ? 2 : segments[0] === 'apis' ? 3 : -1;
  if (prefix < 0) return false;
  let rest = segments.slice(prefix);
  if (rest[0] === 'proxy') return true;
  if (rest[0] === 'watch') rest = rest.slice(1);
  if (rest[0] === 'namespaces' && rest.length > 3) rest = rest.slice(2);
  return ACTING.has(rest[2] ?? '');
}
