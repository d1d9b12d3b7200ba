import { setTimeout as sleep } from 'node:timers/promises';
import { carryOut } from '../../support/faults/faults.ts';
import type { Schedule } from '../../support/faults/schedule.ts';
import { violations, watchViolations } from './checks/check.ts';
import { type Client, HANG_MS } from './workload/client.ts';
import { type Holdings, leftovers } from './checks/leftovers.ts';
import { CONFIG_MAPS, effectsIn, makeLedger, wrongContent } from './workload/objects.ts';
import type { Stage } from './stage.ts';
import { Watcher } from './workload/watcher.ts';
import { work } from './workload/loops.ts';

/** Clients that watch. */
const WATCHERS = 2;

/** Changes that watches hear of whatever becomes of the workload, ms apart. */
const CHURN_MS = 40;

/** The workload goes on for so long after all is well, ms: what a fault has left behind meets requests. */
const AFTERWARDS_MS = 300;

/** What came of a schedule. */
export interface Outcome {
  readonly violations: readonly string[];
  /** From all well to the first request through the tunnel, ms. */
  readonly backMs: number;
  readonly held: Holdings;
  /** Requests by what clients were told. */
  readonly told: Readonly<Record<string, number>>;
  readonly watches: number;
  readonly events: number;
  /** Where the time went, ms. */
  readonly took: Readonly<Record<string, number>>;
}

/** Plays a schedule: workload and faults, then the checks. */
export async function play(stage: Stage, schedule: Schedule, baseline: Holdings | null): Promise<Outcome> {
  const name = stage.nameFor(schedule);
  const took = new Stopwatch();
  const { direct, hops } = stage;
  await makeLedger(direct, name);
  const churn = new Churn(direct, name);
  await churn.change();
  const reference = new Watcher(direct, `${name}-direct`, `schedule=${name}`);
  await reference.opened;
  const client = stage.client();
  const watching = Array.from({ length: WATCHERS }, () => stage.client());
  const watchers = watching.map((one, i) => new Watcher(one, `${name}-${i}`, `schedule=${name}`));
  await Promise.all(watchers.map(({ opened }) => opened));
  took.lap('start');

  let over = false;
  const working = Promise.all([work(client, name, schedule.seed, () => over), churn.until(() => over)]);
  await carryOut(schedule, hops, stage);
  took.lap('faults');
  const backMs = await stage.recovered();
  await sleep(AFTERWARDS_MS);
  over = true;
  took.lap('back');
  await working;
  took.lap('answers');

  await churn.change({ last: 'yes' });
  await reference.heardLast;
  const complete = await Promise.all(watchers.map((watcher) => within(HANG_MS, watcher.heardLast)));
  const heard = await Promise.all(watchers.map((watcher, i) => watcher.end(complete[i]!)));
  const { events } = await reference.end(true);
  took.lap('watches');
  for (const one of [client, ...watching]) await one.end();
  // A client that leaves by a plain FIN is noticed at the next event of its watch, and there is none any more.
  hops.relay('client-to-plane').cut('rst');
  const { held, left } = await leftovers(stage, name, baseline);

  took.lap('leftovers');
  // By then nothing is under way, and a request that is answered now is logged after all that were.
  await direct.ask('GET', `${CONFIG_MAPS}/fixed?mark=${name}-end`);
  await stage.audit.until(`${name}-end`);
  const witness = { executed: await stage.audit.executed(), effects: await effectsIn(direct, name), events };
  await direct.must('DELETE', `${CONFIG_MAPS}?labelSelector=schedule%3D${name}`);
  took.lap('witness');
  const told: Record<string, number> = {};
  for (const { told: answer } of client.journal) {
    const what = 'status' in answer ? `${answer.how} ${answer.status}` : answer.how;
    told[what] = (told[what] ?? 0) + 1;
  }
  return {
    violations: [
      ...violations(client.journal, witness, wrongContent),
      ...heard.flatMap((one) => watchViolations(one, events)),
      ...left,
      ...(backMs === Infinity ? ['the tunnel did not come back'] : []),
    ],
    backMs,
    held,
    told,
    watches: heard.reduce((sum, { watches }) => sum + watches, 0),
    events: events.length,
    took: took.laps,
  };
}

/** Where the time of a schedule goes. */
class Stopwatch {
  readonly laps: Record<string, number> = {};
  #at = performance.now();

  lap(name: string): void {
    const now = performance.now();
    this.laps[name] = Math.round(now - this.#at);
    this.#at = now;
  }
}

/** An object that changes, straight at the API server. */
class Churn {
  readonly #direct: Client;
  readonly #schedule: string;
  #count = 0;

  constructor(direct: Client, schedule: string) {
    this.#direct = direct;
    this.#schedule = schedule;
  }

  async change(labels: Record<string, string> = {}): Promise<void> {
    const name = `churn-${this.#schedule}`;
    const metadata = { name, labels: { schedule: this.#schedule, ...labels } };
    const value = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { count: String(this.#count++) } };
    if (this.#count === 1) await this.#direct.must('POST', CONFIG_MAPS, { type: 'application/json', value });
    else await this.#direct.must('PATCH', `${CONFIG_MAPS}/${name}`, { type: 'application/merge-patch+json', value });
  }

  async until(over: () => boolean): Promise<void> {
    while (!over()) {
      await this.change();
      await sleep(CHURN_MS);
    }
  }
}

/** Whether something happens in time. */
async function within(ms: number, what: Promise<void>): Promise<boolean> {
  const late = new AbortController();
  const timer = sleep(ms, false, { signal: late.signal });
  timer.catch(() => undefined);
  const happened = await Promise.race([what.then(() => true), timer]);
  late.abort();
  return happened;
}
