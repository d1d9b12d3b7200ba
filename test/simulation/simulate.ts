import { PING_INTERVAL_MS, SILENCE_MS } from '#schema/protocol/limits.ts';
import { random } from '../conformance/support/link.ts';
import { plain } from './model/agent.ts';
import type { Plan } from './model/api-server.ts';
import { checkLeftovers, checkRequests, checkWires, hanging } from './check.ts';
import type { Client, Manners } from './model/client.ts';
import { PLATFORM } from './model/platform.ts';
import { makeSchedule, type Schedule } from './schedule.ts';
import { withWindows, World, type Comeback } from './model/world.ts';

/** What a seed led to. */
export interface Result {
  seed: number;
  /** What does not hold; empty: all does. */
  problems: string[];
  comebacks: Comeback[];
  outcomes: Record<string, number>;
  frames: number;
  events: number;
  /** For a person: the schedule, and the last that happened. */
  story(): string;
}

/** Requests that are sent once all is calm, which have this long to be answered, ms. */
const PROBE_MS = 5_000;

/** No world goes on for longer once it is calm, ms. */
const MAX_CALM_MS = 900_000;

/** What may be consumed and not reported yet: a quarter (`window.ts`). */
const UNREPORTED = 1 / 4;

const PLAN: Plan = {
  key: '',
  kind: 'get',
  fate: 'fine',
  uploadBytes: 0,
  answerBytes: 1000,
  sized: true,
  thinkMs: 0,
  pace: 50_000_000,
  stopMs: 0,
  everyMs: 1,
  forMs: 0,
};
const MANNERS: Manners = {
  latencyMs: 0,
  pace: 50_000_000,
  stopMs: 0,
  leaveMs: null,
  breaksFirst: false,
  sized: true,
  messages: 1,
};

/** Runs the world of a seed from its first event to its last, in virtual time. */
export async function simulate(seed: number): Promise<Result> {
  const roll = random(seed);
  const schedule = makeSchedule(roll);
  const restoreWindows = withWindows(schedule.streamWindow, schedule.sessionWindow);
  const world = new World(roll, schedule.weather, schedule.incarnation);
  const log = (line: string): void => world.note(`plane: ${plain(line)}`);
  const console = { ...globalThis.console, log, info: log, warn: log, error: log };
  const unhandled: string[] = [];
  const hear = (reason: unknown): void => void unhandled.push(`a rejection that nobody handles: ${String(reason)}`);
  process.on('unhandledRejection', hear);
  let problems: string[];
  try {
    problems = await world.clock.installed({ ...PLATFORM, console }, () => run(world, schedule));
    problems.push(...unhandled);
  } finally {
    process.off('unhandledRejection', hear);
    restoreWindows();
  }
  const outcomes: Record<string, number> = {};
  for (const { plan, outcome } of world.clients) {
    const name = `${plan.kind} ${outcome}`;
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  return {
    seed,
    problems,
    comebacks: world.comebacks,
    outcomes,
    frames: [...world.wires].reduce((sum, wire) => sum + wire.ledger.frames, 0),
    events: world.clock.steps,
    story: () => tell(seed, schedule, world, problems),
  };
}

async function run(world: World, schedule: Schedule): Promise<string[]> {
  const { clock } = world;
  const { calmAt } = schedule;
  for (let i = 0; i < schedule.replicas; i++) world.startAgent();
  for (const { at, text, act } of schedule.steps) {
    world.at(at, () => {
      world.note(text);
      act(world);
    });
  }
  await clock.runTo(calmAt);
  world.note('it is calm');
  for (const { up, down } of world.wires) up.fuse = down.fuse = null;
  const end = Math.max(calmAt, ...schedule.steps.map(({ at }) => at)) + MAX_CALM_MS;
  do await clock.runTo(clock.now + 1000);
  while (clock.now < end && world.busy && hanging(world, calmAt).length === 0);
  // A connection that is dead and was not told is found by its silence.
  await clock.runTo(Math.max(clock.now, calmAt + SILENCE_MS + PING_INTERVAL_MS + 5 * PROBE_MS));
  const problems = checkRequests(world, calmAt);
  if (problems.length > 0) return problems;
  problems.push(...(await probe(world, schedule)));
  await clock.runTo(clock.now + PROBE_MS);
  return [...problems, ...checkRequests(world, calmAt), ...checkWires(world), ...checkLeftovers(world)];
}

/** Whether everything works again: the windows are whole both ways, and requests are answered. */
async function probe(world: World, schedule: Schedule): Promise<string[]> {
  const { clock } = world;
  const ask = (key: string, plan: Partial<Plan>, manners: Partial<Manners>): Client =>
    world.request({ ...PLAN, ...plan, key }, { ...MANNERS, ...manners });
  const problems: string[] = [];
  const answered = async (round: string): Promise<void> => {
    const both = [
      ask(`${round}-get`, {}, {}),
      ask(`${round}-write`, { kind: 'write', uploadBytes: 1000, answerBytes: 60 }, {}),
    ];
    await clock.runTo(clock.now + PROBE_MS);
    for (const { plan, outcome, why } of both) {
      if (outcome !== 'whole') problems.push(`${plan.key} is not answered though all is calm: ${outcome} ${why}`);
    }
  };
  // What nobody has noticed yet is noticed by the first request; its client would ask again.
  ask('wake', {}, {});
  await clock.runTo(clock.now + 2 * PROBE_MS);
  await answered('first');
  const { streamWindow, sessionWindow } = schedule;
  const count = Math.ceil(sessionWindow / streamWindow) + 1;
  for (const direction of ['up', 'down'] as const) {
    const before = sum(world, direction);
    for (let i = 0; i < count; i++) {
      const size = 3 * streamWindow + 40_000;
      const stopped = { leaveMs: PROBE_MS - 500 };
      if (direction === 'up') ask(`held-${i}`, { answerBytes: size }, { ...stopped, stopMs: 2 * PROBE_MS });
      else ask(`filled-${i}`, { kind: 'write', uploadBytes: size, answerBytes: 60, stopMs: 2 * PROBE_MS }, stopped);
    }
    await clock.runTo(clock.now + PROBE_MS);
    const moved = sum(world, direction) - before;
    if (moved < sessionWindow * (1 - UNREPORTED)) {
      problems.push(`the session's window ${direction} lets ${moved} of ${sessionWindow} octets pass`);
    }
  }
  await clock.runTo(clock.now + 2 * PROBE_MS);
  await answered('last');
  for (const wire of world.plane.life.handles.keys()) {
    for (const [direction, open] of Object.entries(wire.ledger.open)) {
      if (open < sessionWindow * (1 - UNREPORTED))
        problems.push(`${sessionWindow - open} octets of the session's window ${direction} are lost`);
    }
  }
  return problems;
}

function sum(world: World, direction: 'up' | 'down'): number {
  return [...world.wires].reduce((all, { ledger }) => all + ledger.data[direction], 0);
}

function tell(seed: number, schedule: Schedule, world: World, problems: readonly string[]): string {
  const { steps, calmAt, weather, ...rest } = schedule;
  return [
    `seed ${seed}; again: OUTRIDER_SIM_SEED=${seed} npm test -- simulation`,
    ...problems.map((problem) => `  ✗ ${problem}`),
    `world: ${JSON.stringify({ ...rest, weather })}; calm after ${calmAt / 1000} s`,
    'schedule:',
    ...steps.map(({ at, text }) => `${(at / 1000).toFixed(3).padStart(9)} ${text}`),
    'the last events:',
    ...world.trace,
  ].join('\n');
}
