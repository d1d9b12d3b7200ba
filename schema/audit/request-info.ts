import { SAFE_METHODS } from '../http/methods.ts';

/**
 * What a request means to an API server, from its method and target alone: a second writing of the rules in Kubernetes
 * `apiserver/pkg/endpoints/request/requestinfo.go`. Left out: names taken from a field selector, which only lists and watches have.
 */
export interface RequestInfo {
  /** False: a path outside `/api` and `/apis`, or too short to name a resource. Then `verb` is the method in lower case, and the rest is empty. */
  readonly isResource: boolean;
  readonly verb: string;
  /** The path's segments up to where they say something: `api`, `v1`, … */
  readonly known: readonly string[];
  /** Whether more follows, which means something to the subresource alone: the path behind `proxy`. */
  readonly more: boolean;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly resource: string;
  readonly name: string;
  readonly subresource: string;
}

/** Verbs by method. Others have none. */
const VERBS: ReadonlyMap<string, string> = new Map([
  ['POST', 'create'],
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

/** Verbs of old that stand in the path, before the namespace. */
const SPECIAL_VERBS: ReadonlySet<string> = new Set(['proxy', 'watch']);
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize']);

/** Subresources that run something or reach past the API server, whatever the method. */
const ACTING: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);
/** Paths that may name one of them, perhaps encoded: all others are told apart by this one look. */
const MAY_ACT = /^[^?]*(?:exec|attach|portforward|proxy|%)/;

/**
 * Whether a call may change something: any method with effects, any upgrade, and what acts though it is a GET. A path that cannot be decoded counts as one.
 * @param target path and query
 */
export function mayChange({ method, target, upgrade }: { method: string; target: string; upgrade: boolean }): boolean {
  if (upgrade || !SAFE_METHODS.has(method)) return true;
  if (!MAY_ACT.test(target)) return false;
  const info = requestInfo(method, target);
  return info === null || info.verb === 'proxy' || ACTING.has(info.subresource);
}

/** @returns null for a path that cannot be decoded, which an API server refuses (400) */
export function requestInfo(method: string, target: string): RequestInfo | null {
  const parts = segments(target);
  if (parts === null) return null;
  const [prefix = '', ...rest] = parts;
  const grouped = prefix === 'apis';
  if ((prefix !== 'api' && !grouped) || rest.length < (grouped ? 3 : 2)) return nonResource(method, parts);
  const apiGroup = grouped ? (rest[0] ?? '') : '';
  const [apiVersion = '', ...path] = grouped ? rest.slice(1) : rest;
  const special = SPECIAL_VERBS.has(path[0] ?? '');
  if (special && path.length < 2) return nonResource(method, parts);
  const verb = special ? (path[0] ?? '') : (VERBS.get(method) ?? '');
  const scoped = special ? path.slice(1) : path;
  const inNamespace = scoped[0] === 'namespaces' && scoped.length > 1;
  const about = inNamespace && scoped.length > 2 && !NAMESPACE_SUBRESOURCES.has(scoped[2] ?? '');
  const named = about ? scoped.slice(2) : scoped;
  const [resource = '', name = '', third = ''] = named;
  // Behind the verb `proxy` everything is a path of the object's.
  const length = Math.min(named.length, verb === 'proxy' ? 2 : 3);
  return {
    isResource: true,
    verb: name === '' ? (WITHOUT_NAME.get(verb)?.(target) ?? verb) : verb,
    known: parts.slice(0, parts.length - named.length + length),
    more: named.length > length,
    apiGroup,
    apiVersion,
    namespace: inNamespace ? (scoped[1] ?? '') : '',
    resource,
    name,
    subresource: verb === 'proxy' ? '' : third,
  };
}

/** What the verbs of one object mean where none is named. */
const WITHOUT_NAME: ReadonlyMap<string, (target: string) => string> = new Map<string, (target: string) => string>([
  ['get', (target) => (watches(target) ? 'watch' : 'list')],
  ['delete', () => 'deletecollection'],
]);

/** Any value but `0` and `false` means yes (`apimachinery/pkg/runtime/conversion.go`). */
function watches(target: string): boolean {
  const found = /[?&]watch(?:=([^&]*))?(?:&|$)/.exec(target);
  const value = found === null ? null : (found[1] ?? '');
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function nonResource(method: string, parts: readonly string[]): RequestInfo {
  return {
    isResource: false,
    verb: method.toLowerCase(),
    known: parts.slice(0, 1),
    more: parts.length > 1,
    apiGroup: '',
    apiVersion: '',
    namespace: '',
    resource: '',
    name: '',
    subresource: '',
  };
}

/** As Go splits `URL.Path`: decoded once, so `%2F` separates like `/`; slashes at both ends do not count, and those in the middle do. */
function segments(target: string): string[] | null {
  let path: string;
  try {
    path = decodeURIComponent(target.split('?', 1)[0] ?? '');
  } catch {
    return null;
  }
  const trimmed = path.replace(/^\/+/, '').replace(/\/+$/, '');
  return trimmed === '' ? [] : trimmed.split('/');
}
