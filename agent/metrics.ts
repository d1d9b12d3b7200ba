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

const classOf = (status: number): string => `${Math.trunc(status / 100)}xx`;

/** Sums by label, told to Prometheus when it asks: to look up a label for each message and stream took a tenth of a small request's time in the agent. */
class Sums {
  readonly #sums = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();

  add(key: string, labels: () => Readonly<Record<string, string>>, by: number): void {
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { labels: labels(), value: by });
    else sum.value += by;
  }

  /** In the place of what was told before. */
  tell(metric: Counter | Gauge): void {
    metric.reset();
    for (const { labels, value } of this.#sums.values()) metric.inc(labels, value);
  }
}

/** Messages of one direction. */
interface Traffic {
  bytes: number;
  messages: number;
}

/** All metrics of one agent (Prometheus naming: base units, `_total` for counters), in a registry of its own. */
export class AgentMetrics {
  readonly #registry = new Registry();
  readonly #connected: Gauge;
  readonly #standby: Gauge;
  readonly #settled: Counter;
  readonly #traffic: Readonly<Record<'sent' | 'received', Traffic>> = {
    sent: { bytes: 0, messages: 0 },
    received: { bytes: 0, messages: 0 },
  };
  readonly #open = new Sums();
  readonly #ended = new Sums();
  readonly #delay: Histogram;
  readonly #resets: Counter;
  readonly #dials: Counter;
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
    this.#collected(registers);
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
    const { sent } = this.#traffic;
    sent.bytes += bytes;
    sent.messages++;
  }

  received(bytes: number): void {
    const { received } = this.#traffic;
    received.bytes += bytes;
    received.messages++;
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
    const ofKind = (): Record<string, string> => ({ kind: name });
    this.#open.add(name, ofKind, 1);
    const observe = (outcome: string): void => {
      headed = true;
      this.#duration.observe({ kind: name, outcome }, (performance.now() - began) / 1000);
    };
    const end = (outcome: string): void => {
      if (over) return;
      over = true;
      if (!headed) observe(outcome);
      this.#open.add(name, ofKind, -1);
      this.#ended.add(`${name} ${outcome}`, () => ({ kind: name, outcome }), 1);
    };
    return {
      head: (status) => observe(classOf(status)),
      answered: (status) => end(classOf(status)),
      reset: (code) => end(codeLabel(code)),
    };
  }

  /** What is added up here, and told when it is asked for. */
  #collected(registers: Registry[]): void {
    const traffic = (name: string, help: string, of: keyof Traffic): void => {
      const counter: Counter = new Counter({
        ...{ name: `outrider_agent_${name}`, help, labelNames: ['direction'], registers },
        collect: () => {
          counter.reset();
          for (const [direction, sums] of Object.entries(this.#traffic)) counter.inc({ direction }, sums[of]);
        },
      });
    };
    traffic('tunnel_bytes_total', 'Octets of tunnel messages.', 'bytes');
    traffic('tunnel_messages_total', 'Tunnel messages.', 'messages');
    const open: Gauge = new Gauge({
      ...{ name: 'outrider_agent_streams_open', help: 'Streams under way.', labelNames: ['kind'], registers },
      collect: () => this.#open.tell(open),
    });
    const requests: Counter = new Counter({
      ...{ name: 'outrider_agent_requests_total', help: 'Streams served, by how they ended.', registers },
      labelNames: ['kind', 'outcome'],
      collect: () => this.#ended.tell(requests),
    });
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
