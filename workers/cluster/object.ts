import { DurableObject } from 'cloudflare:workers';
import { AccessSnapshot, type Principal } from '#schema/access.ts';
import type { AuditEvent } from '#schema/audit/event.ts';
import { mayChange } from '#schema/audit/request-info.ts';
import { DIRECTORY_DEADLINE_MS, DirectoryAnswer, type DirectoryQuestion } from '#schema/directory/questions.ts';
import { errorRow, OutriderError, unknownCluster } from '#schema/errors.ts';
import { DIRECTORY_QUESTION } from '#schema/protocol/codec/call.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { encodeRequestHead, type RequestHead } from '#schema/protocol/codec/head.ts';
import { MAX_HEAD_BYTES, MAX_HEAD_FIELDS } from '#schema/protocol/limits.ts';
import { proxiedEvent } from '../audit/events.ts';
import { lookAfterAudit } from '../audit/look.ts';
import { readConfig } from '../env.ts';
import { buildSnapshot } from '../access/snapshot.ts';
import { describeError, log } from '../log.ts';
import { codeOf, problemResponse } from '../problem.ts';
import { CODE_HEADER, statusOfError, TOLD_HEADER } from '../status.ts';
import { landEvents } from '../store/audit.ts';
import { recordConnection } from '../store/clusters.ts';
import { Access } from './access.ts';
import { AuditBuffer } from './audit.ts';
import { readAgent, readCaller } from './request/caller.ts';
import { Content } from './request/content.ts';
import { AUDIT_ID_HEADER, fieldOf, requestFields } from './request/fields.ts';
import { CANCEL_RATE, DIAL_RATE, MAX_CALLS } from './limits.ts';
import { LiveRequests } from './live.ts';
import { Counters } from './metrics/counters.ts';
import type { ClusterMetrics } from './metrics/exposition.ts';
import { Rates, tokenRates } from './rates.ts';
import { Sockets, type ClusterStatus } from './sockets.ts';
import { Storage } from './storage.ts';
import { type Asked, outcomeOf } from './request/asked.ts';
import { ask } from './streams/call.ts';
import { Departures } from './streams/departures.ts';
import { serveHttp } from './streams/http.ts';
import { Spill } from './streams/spill.ts';
import { serveUpgrade } from './streams/upgrade.ts';
import { isObjectOf } from './stub.ts';
import { proxyUrl } from './request/target.ts';
import { readWord, type Word } from './request/word.ts';
import type { Settled } from './tunnels/attachment.ts';

/** One downstream cluster: its tunnels, its access snapshot, and every request to it. A switchboard; the parts do the work. */
export class Cluster extends DurableObject<Env> {
  readonly #storage: Storage;
  readonly #access: Access;
  readonly #sockets: Sockets;
  readonly #audit: AuditBuffer;
  readonly #spill: Spill;
  readonly #live = new LiveRequests();
  readonly #departures = new Departures();
  readonly #counters = new Counters(Date.now());
  readonly #dials = new Rates(DIAL_RATE);
  readonly #cancels = new Rates(CANCEL_RATE);
  /** By token; null until the first request: the configuration was not read. */
  #requests: Rates | null = null;
  /** Requests that have not been answered yet. */
  #unanswered = 0;
  /** Of them: questions to the agent. */
  #calls = 0;
  /** Its id, once somebody has asked for it by that: the platform does not tell an object its name. */
  #cluster = '';

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new Storage(state);
    this.#spill = new Spill(this.#storage);
    this.#access = new Access({
      now: Date.now,
      load: () => this.#storage.snapshot(),
      save: (snapshot) => {
        if (this.#storage.exists) this.#storage.setSnapshot(snapshot);
      },
      pull: async () => await buildSnapshot(env.DB, this.#cluster),
    });
    this.#audit = new AuditBuffer(this.#storage, {
      now: Date.now,
      setAlarm: (at) => void (at === null ? state.storage.deleteAlarm() : state.storage.setAlarm(at)),
      later: (work) => void setTimeout(work),
      land: async (events) => await this.#landAudit(events),
    });
    this.#sockets = new Sockets(state, this.#storage, {
      now: Date.now,
      counters: this.#counters,
      busy: () => this.#unanswered > 0,
      generation: async (cluster) => {
        this.#isFor(cluster);
        return (await this.#access.current()).cluster.agentGeneration;
      },
      settled: (settled) => state.waitUntil(this.#connected(settled)),
    });
  }

  override fetch(request: Request): Promise<Response> {
    const content = Content.of(request);
    // Nothing to wait for, as with every GET.
    return content === null ? this.#answer(request, null) : this.#answerWhole(request, content);
  }

  async #answerWhole(request: Request, content: Content): Promise<Response> {
    const response = await this.#answer(request, content);
    await content.answered(response.status);
    return response;
  }

  async #answer(request: Request, content: Content | null): Promise<Response> {
    const facts: Facts = { requestId: '', told: false };
    let dial = false;
    try {
      const { word, url } = readWord(request);
      facts.requestId = word.requestId;
      dial = word.kind === 'dial';
      if (dial) return this.#dialled(word);
      const principal = readCaller(word.caller);
      return await this.#counted({ request, content, principal, word, url }, facts);
    } catch (error) {
      const { requestId } = facts;
      if (!(error instanceof OutriderError)) log('error', 'request failed', { requestId, error: describeError(error) });
      // Agents read problems (RFC 9457), kubectl reads a Status.
      return dial ? problemResponse(error, requestId) : marked(statusOfError(error, requestId), facts);
    }
  }

  #dialled({ caller, address }: Word): Response {
    const agent = readAgent(caller);
    this.#isFor(agent.cluster);
    if (!this.#dials.spend(address, Date.now())) {
      throw new OutriderError('overloaded', 'too many dials of this cluster come from this address');
    }
    return this.#sockets.accept(agent);
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#sockets.message(socket, message);
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    this.#sockets.closed(socket, code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#sockets.closed(socket, 1006, 'the socket broke');
  }

  /** The alarm is that of the audit events: the object has no other. */
  override async alarm(): Promise<void> {
    await this.#audit.alarm();
  }

  /** RPC: takes a snapshot if it is newer; returns the version held afterwards. What it takes back ends what is under way: requests, and tunnels of an ended generation. */
  async putSnapshot(snapshot: AccessSnapshot): Promise<number> {
    const parsed = AccessSnapshot.parse(snapshot);
    this.#isFor(parsed.cluster.id);
    const version = this.#access.put(parsed);
    if (this.#access.held !== null) this.#live.judge(this.#access.held);
    this.#sockets.endGenerationsBefore(this.#access.held?.cluster.agentGeneration ?? 0);
    return version;
  }

  /** RPC: the cluster was deleted: its tunnels end, and nothing of it stays here. Rejects where its audit events cannot be handed over: whoever calls tries again. */
  async forget(): Promise<void> {
    this.#sockets.endAll(ProtocolCode.UNAUTHENTICATED, 'the cluster was removed from the plane');
    this.#access.forget();
    await this.#audit.drain();
    await this.#storage.destroy();
  }

  /** RPC: what is connected now. */
  async status(): Promise<ClusterStatus> {
    return this.#sockets.status();
  }

  /** RPC: what Prometheus is told of this cluster. */
  async metrics(cluster: string): Promise<ClusterMetrics> {
    this.#isFor(cluster);
    const { tunnels, streams, waiting } = this.#sockets.status();
    const byState = { active: 0, standby: 0, draining: 0 };
    for (const { state } of tunnels) byState[state]++;
    // What was told may not be forgotten: see `metrics/keeper.ts`.
    this.#sockets.keep();
    return { tunnels: byState, streams, waiting, counted: this.#counters.counted };
  }

  /** RPC: asks the cluster's agent about a directory. The Worker has decided who may. The question holds passwords: it is passed on and forgotten. */
  async ask(cluster: string, question: DirectoryQuestion): Promise<Asked<DirectoryAnswer>> {
    return await outcomeOf(async () => {
      this.#isFor(cluster);
      if (this.#calls >= MAX_CALLS)
        throw new OutriderError('overloaded', 'too many questions to this agent are under way');
      this.#calls++;
      this.#unanswered++;
      try {
        const asked = { name: DIRECTORY_QUESTION, value: question, deadline: DIRECTORY_DEADLINE_MS };
        const answer = DirectoryAnswer.safeParse(await ask(this.#sockets.pool, asked));
        if (answer.success) return answer.data;
        throw new OutriderError('agent_failed', 'the agent answered with something else than was asked');
      } finally {
        this.#calls--;
        this.#unanswered--;
        this.#sockets.keep();
      }
    });
  }

  /** Counts a request by how it was answered, and how soon. */
  async #counted(call: Call, facts: Facts): Promise<Response> {
    const { user, token } = call.principal;
    const began = Date.now();
    this.#unanswered++;
    try {
      this.#requests ??= tokenRates((await readConfig(this.env)).requestsPerToken);
      if (!this.#requests.spend(token, began)) {
        throw new OutriderError(
          'overloaded',
          'too many requests to this cluster are made with this token; wait a second',
        );
      }
      if (!this.#cancels.allows(user, began)) {
        throw new OutriderError('overloaded', 'you have given up too many requests before they were answered');
      }
      const response = marked(await this.#proxy(call, facts), facts);
      this.#counters.answered(response.status, Date.now() - began);
      return response;
    } catch (error) {
      const now = Date.now();
      const { aborted } = call.request.signal;
      if (aborted) this.#cancels.charge(user, now);
      this.#counters.refused(codeOf(error), aborted, now - began);
      throw error;
    } finally {
      this.#unanswered--;
      this.#sockets.keep();
    }
  }

  /** Nobody is answered for another cluster than this object's own, whatever a Worker made of their path or credential. */
  #isFor(cluster: string): void {
    if (cluster === this.#cluster) return;
    if (!isObjectOf(this.env, cluster, this.ctx.id)) {
      throw unknownCluster();
    }
    this.#cluster = cluster;
  }

  /**
   * The plane must know of the connection before this object may rely on being told of changes; what changed before that is asked for. Where that never succeeded
   * and the plane cannot be reached, the tunnels end, and the agents' next dial tries anew: revocations would pass this object by for ever.
   */
  async #connected({ agent, agentVersion, kubernetesVersion, settledAt: at }: Settled): Promise<void> {
    try {
      this.#isFor(agent.cluster);
      const least = await recordConnection(this.env.DB, agent.cluster, { agentVersion, kubernetesVersion, at });
      if (least === null) {
        await this.forget();
        return;
      }
      this.#storage.setSnapshot(await this.#access.atLeast(least));
      this.#storage.setRecorded();
    } catch (error) {
      log('error', 'a connection could not be recorded', { cluster: agent.cluster, error: describeError(error) });
      if (!this.#storage.recorded()) this.#sockets.endAll(ProtocolCode.INTERNAL, 'dial again');
    }
  }

  async #proxy({ request, content, principal, word, url }: Call, facts: Facts): Promise<Response> {
    const { requestId } = word;
    const { method, headers } = request;
    const { cluster, target } = proxyUrl(url);
    this.#isFor(cluster);
    const upgrade = headers.get('upgrade')?.toLowerCase() === 'websocket';
    const asked = { method, target, upgrade };
    const audited = mayChange(asked) && (await readConfig(this.env)).audit.level !== 'None';
    const authorized = this.#access.authorize(principal, asked);
    const identity = authorized instanceof Promise ? await authorized : authorized;
    const fields = requestFields(headers, word, identity);
    const head = requestHead({ method, target, fields });
    const live = this.#live.begin({ principal, facts: asked, identity });
    const outbound = {
      method,
      head,
      content,
      client: this.#departures.client(request, content !== null),
      requestId,
      live,
    };
    const serve = async (): Promise<Response> => {
      if (!upgrade) return await serveHttp(this.#sockets.pool, outbound);
      const offered = fieldOf(fields, 'sec-websocket-protocol')?.split(',') ?? [];
      const protocols = offered.map((protocol) => protocol.trim()).filter((protocol) => protocol !== '');
      return await serveUpgrade(this.#sockets.pool, { ...outbound, protocols }, this.#spill);
    };
    if (!audited) return await serve();
    const event = proxiedEvent({
      ...{ requestId, method, target, cluster, identity, at: Date.now() },
      address: word.address,
      userAgent: fieldOf(fields, 'user-agent'),
      sentAuditId: fieldOf(fields, AUDIT_ID_HEADER),
    });
    const statusOf = (error: unknown): number => errorRow(codeOf(error)).status;
    return await this.#audit.around(event, serve, statusOf, () => (facts.told = true));
  }

  async #landAudit(events: readonly AuditEvent[]): Promise<void> {
    const { rows } = (await readConfig(this.env)).audit.window;
    const look = await landEvents(this.env.DB, events, { now: Math.floor(Date.now() / 1000), rows });
    // After the events are there: what is asked of it may fail, and is asked again with the next.
    if (look) this.ctx.waitUntil(lookAfterAudit(this.env));
  }
}

/** One request to the cluster. */
interface Call {
  readonly request: Request;
  readonly content: Content | null;
  readonly principal: Principal;
  readonly word: Word;
  /** As the client asked. */
  readonly url: string;
}

/** What is known of a request besides what it says itself. */
interface Facts {
  /** '' until it was read. */
  requestId: string;
  /** Its event is stored here. */
  told: boolean;
}

/** Tells the Worker, where the answer is the plane's own, that the call's event is stored here: it must not write another. */
function marked(response: Response, { told }: Facts): Response {
  if (told && response.status >= 400 && response.headers.has(CODE_HEADER)) response.headers.set(TOLD_HEADER, '1');
  return response;
}

/** @throws OutriderError for a request that the tunnel cannot carry */
function requestHead(head: RequestHead): Uint8Array {
  try {
    return encodeRequestHead(head);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    if (error.code === ProtocolCode.LIMIT) {
      throw new OutriderError(
        'headers_too_large',
        `the header fields are more than ${MAX_HEAD_FIELDS}, or take more than ${MAX_HEAD_BYTES / 1024} KiB`,
      );
    }
    throw new OutriderError('bad_request', `the request cannot be sent on: ${error.message}`);
  }
}
