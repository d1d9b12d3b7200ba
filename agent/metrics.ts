import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import { codeName } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';

const KIND_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(StreamKind).map(([name, kind]) => [kind, name.toLowerCase()]),
);

/** A stream kind for labels; kinds of a newer plane share one, so that a peer cannot make labels without end. */
function kindName(kind: number): string {
  return KIND_NAMES.get(kind) ?? 'other';
}

/** A wire code for labels: `upstream_lost`; codes of a newer plane share one. */
function codeLabel(code: number): string {
  const name = codeName(code);
  return name.startsWith('code ') ? 'other' : name.toLowerCase();
}

/** Seconds to a response's head: from a cached GET (2 ms) to a list of a large cluster. */
const HEAD_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** From one turn of the event loop (tens of µs) to a stream that waits for credit. */
const DELAY_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

const SENT = { direction: 'sent' } as const;
const RECEIVED = { direction: 'received' } as const;

const classOf = (status: number): string => `${Math.trunc(status / 100)}xx`;

/** All metrics of one agent (Prometheus naming: base units, `_total` for counters), in a registry of its own. */
export class AgentMetrics {
  readonly #registry = new Registry();
  readonly #connected: Gauge;
  readonly #standby: Gauge;
  readonly #settled: Counter;
  readonly #streams: Gauge;
  readonly #bytes: Counter;
  readonly #messages: Counter;
  readonly #delay: Histogram;
  readonly #resets: Counter;
  readonly #dials: Counter;
  readonly #requests: Counter;
  readonly #duration: Histogram;

  constructor(version: string) {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
      new Gauge({ name: `outrider_agent_${name}`, help, labelNames, registers });
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({ name: `outrider_agent_${name}`, help, labelNames, registers });

    gauge('info', 'Always 1; the version is in the label.', ['version']).set({ version }, 1);
    this.#connected = gauge('tunnel_connected', 'Tunnels that are settled with the plane.');
    this.#standby = gauge('tunnel_standby', '1 while another replica serves and this one stands by.');
    this.#settled = counter(
      'tunnels_settled_total',
      'Tunnels that the plane has settled; all but the first are reconnects.',
      [],
    );
    this.#streams = gauge('streams_open', 'Streams under way.', ['kind']);
    this.#bytes = counter('tunnel_bytes_total', 'Octets of tunnel messages.', ['direction']);
    this.#messages = counter('tunnel_messages_total', 'Tunnel messages.', ['direction']);
    this.#delay = new Histogram({
      name: 'outrider_agent_queue_delay_seconds',
      help: 'The longest that anything in a tunnel message waited to be sent; one sample a message.',
      buckets: DELAY_BUCKETS,
      registers,
    });
    this.#resets = counter(
      'stream_resets_total',
      'Streams that were reset; tunnel_lost: that went with their tunnel.',
      ['code', 'by'],
    );
    this.#dials = counter('tunnel_dials_total', 'Attempts to reach the plane.', ['outcome']);
    this.#requests = counter('requests_total', 'Streams served, by how they ended.', ['kind', 'outcome']);
    this.#duration = new Histogram({
      name: 'outrider_agent_request_duration_seconds',
      help: 'Time from a request to the head of its response, or to the end of one that never had a head.',
      labelNames: ['kind', 'outcome'],
      buckets: HEAD_BUCKETS,
      registers,
    });
    this.#process(registers);
  }

  /** The exposition text. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  tunnelSettled(standby: boolean): void {
    this.#connected.inc();
    this.#settled.inc();
    this.#standby.set(standby ? 1 : 0);
  }

  tunnelClosed(): void {
    this.#connected.dec();
    this.#standby.set(0);
  }

  dialled(outcome: 'connected' | 'failed' | 'refused'): void {
    this.#dials.inc({ outcome });
  }

  sent(bytes: number): void {
    this.#bytes.inc(SENT, bytes);
    this.#messages.inc(SENT);
  }

  received(bytes: number): void {
    this.#bytes.inc(RECEIVED, bytes);
    this.#messages.inc(RECEIVED);
  }

  /** How long the oldest of what a message carries had waited, ms. */
  delayed(milliseconds: number): void {
    this.#delay.observe(milliseconds / 1000);
  }

  streamReset(code: number, by: 'agent' | 'plane'): void {
    this.#resets.inc({ code: codeLabel(code), by });
  }

  /** Follows one stream from its opening; see {@link StreamMetrics}. */
  opened(kind: number): StreamMetrics {
    const name = kindName(kind);
    const began = performance.now();
    let headed = false;
    let over = false;
    this.#streams.inc({ kind: name });
    const observe = (outcome: string): void => {
      headed = true;
      this.#duration.observe({ kind: name, outcome }, (performance.now() - began) / 1000);
    };
    const end = (outcome: string): void => {
      if (over) return;
      over = true;
      if (!headed) observe(outcome);
      this.#streams.dec({ kind: name });
      this.#requests.inc({ kind: name, outcome });
    };
    return {
      head: (status) => observe(classOf(status)),
      answered: (status) => end(classOf(status)),
      reset: (code) => end(codeLabel(code)),
    };
  }

  /** The few metrics of the process that dashboards expect (Prometheus client library guidelines). */
  #process(registers: Registry[]): void {
    const began = Date.now() / 1000 - process.uptime();
    new Gauge({ name: 'process_start_time_seconds', help: 'Start, seconds since the epoch.', registers }).set(began);
    const memory: Gauge = new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory.',
      registers,
      collect: () => memory.set(process.memoryUsage.rss()),
    });
    const cpu: Counter = new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of user and system.',
      registers,
      collect: () => {
        const { user, system } = process.cpuUsage();
        cpu.reset();
        cpu.inc((user + system) / 1e6);
      },
    });
  }
}

/** What the server of one stream reports; the first end counts. */
export interface StreamMetrics {
  /** The response's head is there. */
  head(status: number): void;
  /** The exchange ended in order, with this status. */
  answered(status: number): void;
  reset(code: number): void;
}
