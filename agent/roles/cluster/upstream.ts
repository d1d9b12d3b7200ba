import type { Dispatch } from '../../kube/request.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { Logger } from '../../log.ts';
import type { AgentMetrics } from '../../metrics.ts';
import type { ApiServer } from '../../kube/api-server.ts';
import type { Account } from '../../kube/accounts.ts';
import type { Questions } from './call.ts';
import type { Budget } from './upgrade/messages.ts';

/** What serving a stream needs. */
export interface Upstream {
  api: ApiServer;
  pool: Dispatch;
  /** The account that may impersonate. */
  proxy: Account;
  /** What upgrades hold of large messages, all together. */
  borrowed: Budget;
  /** `call` streams, all together. */
  questions: Questions;
  metrics: AgentMetrics;
  log: Logger;
}

/** Why a stream is reset. `reason` goes to the plane, and from there to the person: no addresses but the API server's, no secrets. */
export interface Fault {
  code: ProtocolCode;
  reason: string;
}

const fault = (code: ProtocolCode, reason: string): Fault => ({ code, reason });

/** Errors of undici and Node that say more than that the connection broke. */
const KNOWN: Readonly<Record<string, Fault>> = {
  UND_ERR_INVALID_ARG: fault(ProtocolCode.PROTOCOL_ERROR, 'the request cannot be sent as HTTP/1.1'),
  UND_ERR_NOT_SUPPORTED: fault(ProtocolCode.PROTOCOL_ERROR, 'the request cannot be sent as HTTP/1.1'),
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: fault(
    ProtocolCode.PROTOCOL_ERROR,
    'the body is not as long as its Content-Length',
  ),
  UND_ERR_HEADERS_OVERFLOW: fault(ProtocolCode.LIMIT, 'the response has more header fields than fit'),
};

/** The request was written, at least in part. */
const LOST = fault(ProtocolCode.UPSTREAM_LOST, 'the connection to the API server broke');

/** Connections fail in few ways that a person can act on. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the API server refuses connections',
  ENOTFOUND: "the API server's name does not resolve",
  EAI_AGAIN: "the API server's name does not resolve",
  ETIMEDOUT: 'the API server does not answer',
  EHOSTUNREACH: 'the API server cannot be reached',
  ENETUNREACH: 'the API server cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'the API server does not answer',
};

/** `code` of an error of Node or undici; '' where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The fault behind an error of the HTTP client. `sent`: whether an octet of the request may have reached the API server. */
export function faultOf(error: unknown, sent: boolean): Fault {
  const code = errorCode(error);
  const known = KNOWN[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_'))
    return fault(ProtocolCode.UPSTREAM_LOST, 'the API server answered with something that is not HTTP');
  if (sent) return LOST;
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ERR_TLS|ERR_SSL/.test(code);
  const reason = certificate
    ? "the API server's certificate is not of the cluster's CA"
    : (UNREACHABLE[code] ?? 'the API server cannot be reached');
  return fault(ProtocolCode.UPSTREAM_UNREACHABLE, reason);
}

/** The TokenRequest for the impersonating account failed; nothing was sent. */
export const NO_TOKEN = fault(ProtocolCode.UPSTREAM_UNREACHABLE, 'the agent has no token for the API server');

/**
 * The API server does not accept the token of the impersonating account. Never passed on as the 401 that it is: the person is signed in, and kubectl would ask them
 * to sign in again.
 */
export const NOT_ACCEPTED = fault(
  ProtocolCode.UPSTREAM_UNREACHABLE,
  "the API server does not accept the agent's own token",
);

/** The `proxy` subresource of core/v1 (Kubernetes API reference: "connect proxy requests"). */
const PROXIED = /\/(?:nodes|pods|services)\/[^/?]+\/proxy(?:[/?]|$)/;

/** Whether a 401 may come from what the API server passes the request on to, and be meant for the person. */
export function mayAnswerForItself(target: string): boolean {
  return PROXIED.test(target);
}
