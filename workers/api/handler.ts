import type { Principal } from '#schema/access.ts';
import type { DirectoryVia } from '#schema/directory/direct.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import type { AuditEvent } from '#schema/audit/event.ts';
import type { Endpoint, Input, Result } from '#schema/api/endpoint.ts';
import type { Named } from '../audit/record.ts';
import type { ClusterMetrics } from '../cluster/metrics/exposition.ts';
import type { Config } from '../env.ts';
import type { Commit } from '../store/rights/access.ts';
import type { CallerFacts } from '../store/rights/callers.ts';

/** Who sent a management request: the token, and what the database says of its bearer. */
export interface KnownCaller {
  readonly principal: Principal;
  readonly facts: CallerFacts;
}

/** A cluster's object, as the management API asks it. */
export interface ClusterStatus {
  readonly tunnels: readonly {
    readonly instance: string;
    readonly role: 'cluster' | 'node';
    readonly state: 'active' | 'standby' | 'draining';
    /** Epoch ms. */
    readonly since: number;
    readonly agentVersion: string;
    readonly kubernetesVersion: string;
  }[];
  readonly streams: number;
}

/** What handlers ask for. */
export interface Deps {
  readonly db: D1Database;
  readonly config: Config;
  /** For whatever changes who may do what. */
  readonly commit: Commit;
  /** Epoch seconds. */
  readonly now: number;
  /** Whom the platform says the caller to be, as throttles count: `http/address.ts`; null: it says nothing. */
  readonly address: string | null;
  /** Names the request, in the log and in the audit log. */
  readonly requestId: string;
  /** The caller's address itself, for the audit log; null: the platform does not say. */
  readonly peer: string | null;
  /** To be called as soon as it is known who calls, also where they are then refused. */
  readonly named: Named;
  /** Has the audit log's window looked after. */
  auditUpkeep(): void;
  /** Writes a refusal into the audit log, if there are not too many. */
  refused(event: AuditEvent): void;
  /** Header fields that the answer gets beside its own, whatever it is: cookies. */
  readonly answer: Headers;
  /** Lets work go on after the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
  newClusterId(): Promise<string>;
  clusterStatus(clusterId: string): Promise<ClusterStatus>;
  clusterMetrics(clusterId: string): Promise<ClusterMetrics>;
  /** Asks a directory; through a cluster's agent, @throws OutriderError tunnel_down, agent_outdated, agent_timeout, agent_failed, overloaded, too_large, unknown_cluster */
  askDirectory(via: DirectoryVia, question: DirectoryQuestion): Promise<DirectoryAnswer>;
  /** People of sign-in providers will be due to be asked for at that moment, epoch seconds. */
  armRefresher(at: number): Promise<void>;
}

/** The caller, where the endpoint has one. */
export type Caller<E extends Endpoint> = E['who'] extends 'anyone' | 'operator' ? null : KnownCaller;

/** Does what an endpoint declares. Its input was validated, its caller permitted; refusals are thrown as OutriderError. */
export type Handler<E extends Endpoint> = (input: Input<E>, deps: Deps, caller: Caller<E>) => Promise<Result<E>>;
