import type { Fate, Plan } from './model/api-server.ts';
import type { Manners } from './model/client.ts';
import type { Weather, Wire } from './model/wire.ts';
import type { World } from './model/world.ts';

/** Something that is done to the world at a moment; the text is what a failing seed prints. */
export interface Step {
  at: number;
  text: string;
  act: (world: World) => void;
}

/** All that follows from a seed. */
export interface Schedule {
  weather: Weather;
  incarnation: number;
  replicas: number;
  streamWindow: number;
  sessionWindow: number;
  /** When the faults end, ms. */
  calmAt: number;
  steps: Step[];
}

/** Before the first fault the tunnels have this long to come up, ms. */
const QUIET_MS = 3_000;

/** Dice of one seed. */
class Dice {
  readonly roll: () => number;
  constructor(roll: () => number) {
    this.roll = roll;
  }
  /** An integer from `low` to `high`. */
  from(low: number, high: number): number {
    return low + Math.floor(this.roll() * (high - low + 1));
  }
  one<T>(list: readonly T[]): T {
    return list[Math.floor(this.roll() * list.length)]!;
  }
  chance(part: number): boolean {
    return this.roll() < part;
  }
}

export function makeSchedule(roll: () => number): Schedule {
  const dice = new Dice(roll);
  const streamWindow = dice.one([2, 8, 32]) * 1024;
  const calmAt = dice.from(30, 120) * 1000;
  const schedule: Schedule = {
    weather: weatherOf(dice),
    incarnation: dice.one([0, 7, 0xfffd, 0xffff]),
    replicas: dice.from(1, 2),
    streamWindow,
    sessionWindow: streamWindow * dice.one([2, 4, 8]),
    calmAt,
    steps: [],
  };
  let requests = 0;
  const ask = (at: number): void => void schedule.steps.push(request(dice, requests++, at, streamWindow));
  const faults = dice.from(2, 12);
  for (let i = 0; i < faults; i++) {
    const at = dice.from(QUIET_MS, calmAt);
    schedule.steps.push(...fault(dice, at, calmAt));
    // Some of what is under way is just setting out, or just being answered, when a fault comes.
    const crossing = dice.chance(0.6) ? dice.from(1, 5) : 0;
    for (let j = 0; j < crossing; j++) ask(at + (1 - 4 * dice.roll()) * (schedule.weather.latencyMs + 2));
  }
  // In half of the worlds nobody asks for anything once it is calm: what hangs then gets no help from a request. Some of these end with a death that nobody sees.
  const quiet = dice.chance(0.5);
  if (quiet && dice.chance(0.6)) {
    schedule.steps.push(unseen(dice, calmAt));
    for (let i = 0; i < 4; i++) ask(calmAt - dice.from(0, 8_000));
  }
  const until = quiet ? calmAt : calmAt + 30_000;
  const others = dice.from(5, 40);
  for (let i = 0; i < others; i++) ask(dice.from(0, until));
  schedule.steps.sort((a, b) => a.at - b.at);
  return schedule;
}

function weatherOf(dice: Dice): Weather {
  return {
    latencyMs: dice.one([1, 20, 80, 150]),
    jitterMs: dice.one([0, 5, 40]),
    bytesPerSecond: dice.one([200_000, 2_000_000, 20_000_000]),
    recut: dice.chance(0.5),
  };
}

/** A wire that is up. */
function wireOf(world: World, dice: Dice): Wire | undefined {
  const wires = [...world.wires].filter((wire) => !wire.over);
  return wires.length === 0 ? undefined : dice.one(wires);
}

function fault(dice: Dice, at: number, calmAt: number): Step[] {
  const lasting = Math.min(calmAt, at + dice.one([300, 2_000, 8_000, 30_000, 50_000]) * (0.5 + dice.roll()));
  const seconds = ((lasting - at) / 1000).toFixed(1);
  // The dice are rolled when the step is taken, so that steps before it have their say.
  const on = (act: (wire: Wire) => void) => (world: World) => {
    const wire = wireOf(world, dice);
    if (wire !== undefined) act(wire);
  };
  const told = dice.one(['both', 'both', 'agent', 'plane', 'nobody'] as const);
  switch (dice.from(0, 12)) {
    case 0:
      return [{ at, text: `a connection breaks, ${told} told`, act: on((wire) => wire.cut(told)) }];
    case 1: {
      const frames = dice.from(0, 40);
      const direction = dice.one(['up', 'down'] as const);
      const act = on((wire) => {
        wire[direction].fuse ??= frames;
      });
      return [{ at, text: `a connection breaks after ${frames} more frames ${direction}`, act }];
    }
    case 2:
    case 3:
      return [silence(dice, at, lasting)];
    case 4: {
      const slow = weatherOf(dice);
      slow.bytesPerSecond = dice.one([8_000, 30_000, 100_000]);
      const before: Weather[] = [];
      return [
        {
          at,
          text: `the network has ${slow.bytesPerSecond} B/s and ${slow.latencyMs} ms for ${seconds} s`,
          act: ({ weather }) => {
            before.push({ ...weather });
            Object.assign(weather, slow);
          },
        },
        { at: lasting, text: 'the network recovers', act: ({ weather }) => void Object.assign(weather, before[0]) },
      ];
    }
    case 5:
    case 6: {
      const reach = dice.one(['refused', 'failing', 'hanging'] as const);
      const cut = dice.one(['both', 'nobody', 'keeps'] as const);
      return [
        {
          at,
          text: `the plane is ${reach} for ${seconds} s, its connections ${cut === 'keeps' ? 'kept' : `cut, told ${cut}`}`,
          act: (world) => {
            world.setReach(reach);
            if (cut !== 'keeps') world.plane.deploy(cut);
          },
        },
        { at: lasting, text: 'the plane can be reached again', act: (world) => world.setReach('up') },
      ];
    }
    case 7:
      return [{ at, text: 'the object is evicted', act: (world) => world.plane.evict() }];
    case 8:
      return [{ at, text: 'a deploy resets the object', act: (world) => world.plane.deploy('both') }];
    case 9:
    case 10: {
      const tells = dice.chance(0.5);
      const restart = dice.from(0, 8_000);
      return [{ at, text: `an agent crashes, ${tells ? 'told' : 'unseen'}`, act: crash(dice, tells, restart, calmAt) }];
    }
    case 11:
      return dice.chance(0.5)
        ? [{ at, text: 'the next dial arrives twice', act: (world) => void (world.duplicateDial = true) }]
        : [{ at, text: 'a rollout: a new agent, and the oldest drains', act: rollOut }];
    default:
      return dice.chance(0.5)
        ? [{ at, text: 'the API server cuts its connections', act: (world) => world.api.cut() }]
        : [
            { at, text: `the API server is down for ${seconds} s`, act: (world) => void (world.api.down = true) },
            { at: lasting, text: 'the API server is up', act: (world) => void (world.api.down = false) },
          ];
  }
}

/** Half-dead: what is sent is lost, or late, and nobody is told. */
function silence(dice: Dice, at: number, until: number): Step {
  const which = dice.one(['up', 'down', 'both'] as const);
  const end = dice.one(['heals', 'breaks', 'stays'] as const);
  const seconds = ((until - at) / 1000).toFixed(1);
  return {
    at,
    text: `a connection is silent (${which}) and ${end}${end === 'stays' ? '' : ` after ${seconds} s`}`,
    act: (world) => {
      const wire = wireOf(world, dice);
      if (wire === undefined) return;
      if (which !== 'down') wire.up.silent = true;
      if (which !== 'up') wire.down.silent = true;
      world.at(until, () => {
        if (end === 'breaks') wire.cut('both');
        if (end !== 'heals') return;
        wire.up.heal();
        wire.down.heal();
      });
    },
  };
}

function crash(dice: Dice, told: boolean, restartMs: number, calmAt: number): Step['act'] {
  return (world) => {
    const [first] = world.running;
    if (first === undefined) return;
    const victim = dice.one(world.running);
    world.note(`${victim.name} crashes`);
    victim.crash(told);
    world.at(Math.min(calmAt, world.clock.now + restartMs), () => world.startAgent());
  };
}

/** The last fault of a world. */
function unseen(dice: Dice, at: number): Step {
  if (dice.chance(0.5)) return { at, text: 'an agent crashes, unseen', act: crash(dice, false, 0, at) };
  const text = 'every connection is silent, and stays';
  return {
    at,
    text,
    act: ({ wires }) => {
      for (const { up, down } of wires) up.silent = down.silent = true;
    },
  };
}

function rollOut(world: World): void {
  const [oldest] = world.running;
  world.startAgent();
  if (oldest === undefined) return;
  world.note(`${oldest.name} is told to stop`);
  oldest.stop();
}

function request(dice: Dice, number: number, at: number, streamWindow: number): Step {
  const kind = dice.one(['get', 'get', 'get', 'write', 'write', 'write', 'watch', 'upgrade'] as const);
  const fate: Fate = dice.chance(0.75)
    ? 'fine'
    : dice.one(['refused', 'lost-before', 'lost-after', 'lost-amid', 'early']);
  const size = (): number => dice.one([0, 40, 900, streamWindow - 1, streamWindow * 3, streamWindow * 12]);
  const plan: Plan = {
    key: `${kind}-${number}`,
    kind,
    fate,
    uploadBytes: kind === 'write' ? size() : kind === 'upgrade' ? 1 + size() : 0,
    answerBytes: kind === 'get' ? size() : kind === 'write' ? 60 : 0,
    sized: dice.chance(0.6),
    thinkMs: dice.one([0, 0, 3, 400, 3_000, 12_000]),
    pace: dice.one([60_000, 1_000_000, 50_000_000]),
    stopMs: dice.chance(0.1) ? 10_000 : 0,
    everyMs: kind === 'watch' ? dice.one([50, 700, 5_000]) : 1,
    forMs: kind === 'watch' ? dice.from(5_000, 60_000) : 0,
  };
  const manners: Manners = {
    latencyMs: dice.one([0, 10, 100]),
    pace: dice.one([60_000, 1_000_000, 50_000_000]),
    stopMs: dice.chance(0.15) ? dice.from(1_000, 30_000) : 0,
    leaveMs: dice.chance(0.15) ? dice.one([0, 5, 100, 1_500, 15_000]) : null,
    breaksFirst: dice.chance(0.5),
    sized: dice.chance(0.6),
    messages: dice.from(1, 12),
  };
  const text = `${plan.key}: ${fate}, ${plan.uploadBytes} up, ${plan.answerBytes} down${manners.leaveMs === null ? '' : `, leaves after ${manners.leaveMs} ms`}`;
  return { at, text, act: (world) => void world.request(plan, manners) };
}
