import { base64url } from 'jose';
import type { Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import type { Config } from '../env.ts';
import { sessionToken } from './browser/cookie.ts';
import { requireOwnPage } from './browser/origin.ts';
import { MAX_TOKEN_LENGTH, verifyToken } from './token.ts';

/** How a browser's WebSocket, which can set no header, brings a token (Kubernetes `apiserver/pkg/authentication/request/websocket/protocol.go`). */
const PROTOCOL_PREFIX = 'base64url.bearer.authorization.k8s.io.';

/** RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). */
const AUTHORIZATION = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/** What a WebSocket handshake offers. */
export interface OfferedProtocols {
  /** From the bearer protocol; null: none was offered. */
  readonly token: string | null;
  /** The others, in order: what may be passed on. */
  readonly protocols: string[];
}

const refused = (detail: string): OutriderError => new OutriderError('unauthenticated', detail);

/**
 * Splits `Sec-WebSocket-Protocol` into the token and the rest, as the API server does: one token at most, and at least one other
 * protocol, since the token must never be echoed.
 * @throws OutriderError unauthenticated
 */
export function splitProtocols(header: string | null): OfferedProtocols {
  const offered = (header ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '');
  const protocols = offered.filter((protocol) => !protocol.startsWith(PROTOCOL_PREFIX));
  const [bearer, second] = offered.filter((protocol) => protocol.startsWith(PROTOCOL_PREFIX));
  if (bearer === undefined) return { token: null, protocols };
  if (second !== undefined) throw refused('more than one bearer protocol was offered');
  if (protocols.length === 0) throw refused('a bearer protocol must be offered together with another protocol');
  return { token: decodeToken(bearer.slice(PROTOCOL_PREFIX.length)), protocols };
}

function decodeToken(encoded: string): string {
  // jose's decoder would also take padding and the other alphabet.
  if (!/^[A-Za-z0-9_-]+$/.test(encoded) || encoded.length > 2 * MAX_TOKEN_LENGTH) {
    throw refused('the bearer protocol is not base64url');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(base64url.decode(encoded));
  } catch {
    throw refused('the bearer protocol is not base64url');
  }
}

/**
 * The bearer token of a request; from the header, or from the WebSocket subprotocol of a handshake. Both may be there if they are the same. Null: there is none.
 * @throws OutriderError unauthenticated: not well-formed, or two that differ
 */
export function offeredToken(headers: Headers): string | null {
  const authorization = headers.get('authorization');
  const fromHeader = authorization === null ? null : AUTHORIZATION.exec(authorization)?.[1];
  if (fromHeader === undefined) throw refused('the Authorization header must be "Bearer" and one token');
  const upgrade = headers.get('upgrade')?.toLowerCase() === 'websocket';
  const fromProtocol = upgrade ? splitProtocols(headers.get('sec-websocket-protocol')).token : null;
  if (fromHeader !== null && fromProtocol !== null && fromHeader !== fromProtocol) {
    throw refused('the Authorization header and the bearer protocol are different');
  }
  return fromHeader ?? fromProtocol;
}

const missing = (): OutriderError => refused('a bearer token is needed; sign in, or use a kubeconfig of this plane');

/** As {@link offeredToken}, where nothing else will do. @throws OutriderError unauthenticated */
export function bearerToken(headers: Headers): string {
  const token = offeredToken(headers);
  if (token === null) throw missing();
  return token;
}

/** What a request is believed by: its bearer token, or else the session of the browser page that it comes from. */
function credential(request: Request, config: Config): string {
  const bearer = offeredToken(request.headers);
  const cookie = request.headers.get('cookie');
  // The way of kubectl, which has no cookies.
  if (cookie === null && bearer !== null) return bearer;
  const session = cookie === null ? null : sessionToken(cookie);
  if (bearer !== null) {
    if (session !== null && session !== bearer) {
      throw refused('the session cookie and the bearer token are different; send one of them');
    }
    return bearer;
  }
  if (session === null) throw missing();
  requireOwnPage(request, config.publicUrl);
  return session;
}

/** How long a verified token is believed without another look at its signature, seconds. It still ends at its expiry. */
const BELIEVED_SECONDS = 10;
/** Verified tokens an isolate remembers, oldest out; each is well under 1 KiB. */
const MAX_BELIEVED = 4096;

interface Believed {
  readonly config: Config;
  readonly principal: Principal;
  readonly until: number;
}

/** By the token itself: hashing it first would cost as much again, and the isolate's memory has seen the token anyway. Never logged. */
const believed = new Map<string, Believed>();

/** Who hears of a token that is not remembered, which happens once in a while for each. */
export interface Hearing {
  /** Before its signature is looked at; may refuse to. */
  readonly unknown?: () => void;
  /** Of the caller, when it was found good. */
  readonly verified?: (principal: Principal) => void;
}

/**
 * Whom a request speaks for, by its token alone: whether it was revoked, the access snapshot says (`design.md` §2).
 * @param now epoch seconds
 * @throws OutriderError unauthenticated; cross_origin, where a cookie came from elsewhere than the plane's own pages
 */
export async function authenticate(
  request: Request,
  config: Config,
  now = Math.floor(Date.now() / 1000),
  hearing?: Hearing,
): Promise<Principal> {
  return await believe(credential(request, config), config, now, hearing);
}

/** As {@link authenticate}, where a bearer token that is remembered says it all; null: that has to be asked. The way of nearly every request, so it waits for nothing. */
export function rememberedCaller(
  { headers }: Request,
  config: Config,
  now = Math.floor(Date.now() / 1000),
): Principal | null {
  const authorization = headers.get('authorization');
  if (authorization === null || headers.has('cookie') || headers.has('upgrade')) return null;
  const token = AUTHORIZATION.exec(authorization)?.[1];
  return token === undefined ? null : remembered(token, config, now);
}

function remembered(token: string, config: Config, now: number): Principal | null {
  const known = believed.get(token);
  return known !== undefined && known.config === config && now < known.until ? known.principal : null;
}

/** As {@link authenticate}, for a token by itself. */
export async function believe(token: string, config: Config, now: number, hearing: Hearing = {}): Promise<Principal> {
  const known = remembered(token, config, now);
  if (known !== null) return known;
  hearing.unknown?.();
  const principal = await verifyToken(config, token, now);
  believed.delete(token);
  const oldest = believed.keys().next();
  if (believed.size >= MAX_BELIEVED && oldest.done !== true) believed.delete(oldest.value);
  believed.set(token, { config, principal, until: Math.min(now + BELIEVED_SECONDS, principal.expiresAt) });
  hearing.verified?.(principal);
  return principal;
}
