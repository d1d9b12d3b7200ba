import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { Client } from './model/client.ts';
import { EVENT_BYTES } from './model/api-server.ts';
import type { World } from './model/world.ts';

/** Once faults have ended no request may stand still for longer, beyond what it waits for by itself, ms. */
const HANG_MS = 60_000;

const { PROTOCOL_ERROR, UNKNOWN_FRAME, FLOW_CONTROL, LIMIT, VERSION, INTERNAL } = ProtocolCode;

/** By which an honest end says that the other one broke the protocol, or that itself failed: never between two of ours. */
const BREACHES: ReadonlySet<number> = new Set([PROTOCOL_ERROR, UNKNOWN_FRAME, FLOW_CONTROL, LIMIT, VERSION, INTERNAL]);

/** … but for this, which is about a reader that does not read. */
const STALLED = 'not read while others waited';

/** When a request must have got on, or ended, ms. */
function dueAt(client: Client, calmAt: number): number {
  return Math.max(calmAt, client.progressAt) + client.ownMs + HANG_MS;
}

/** Requests that stand still. */
export function hanging(world: World, calmAt: number): Client[] {
  return world.clients.filter((client) => client.outcome === null && world.clock.now > dueAt(client, calmAt));
}

/** What was promised about requests, held against what the API server executed. */
export function checkRequests(world: World, calmAt: number): string[] {
  const problems = [...world.problems, ...world.api.problems];
  for (const client of world.clients) problems.push(...checkRequest(world, client, calmAt));
  for (const [key, times] of world.api.executed) if (times > 1) problems.push(`${key} was executed ${times} times`);
  return problems;
}

function checkRequest(world: World, client: Client, calmAt: number): string[] {
  const { plan, outcome, status, received } = client;
  const problems = client.problems.map((problem) => `${plan.key}: ${problem}`);
  const say = (problem: string): void => void problems.push(`${plan.key}: ${problem}`);
  if (outcome === null) say(world.clock.now > dueAt(client, calmAt) ? 'hangs' : 'has not ended');
  if (outcome !== 'left' && client.endedAt > dueAt(client, calmAt)) say('hung');
  if (outcome !== 'whole') return problems;
  const executed = world.api.executed.get(plan.key) ?? 0;
  if (plan.kind === 'write') {
    if (executed !== 1) say(`answered ${status} and executed ${executed} times`);
    if (received !== plan.answerBytes)
      say(`an answer of ${plan.answerBytes} octets ended after ${received} as if whole`);
  }
  if (plan.kind === 'get' && received !== plan.answerBytes) {
    say(`an answer of ${plan.answerBytes} octets ended after ${received} as if whole`);
  }
  const emitted = world.api.emitted.get(plan.key) ?? 0;
  if (plan.kind === 'watch' && received !== emitted * EVENT_BYTES) {
    say(`ended as if whole with ${received / EVENT_BYTES} of ${emitted} events`);
  }
  return problems;
}

/** What the wires' ledgers have seen go wrong. */
export function checkWires(world: World): string[] {
  return [...world.wires].flatMap(({ ledger }) => [
    ...ledger.problems,
    ...ledger.codes
      .filter(({ code, text }) => BREACHES.has(code) && !text.includes(STALLED))
      .map(({ text }) => `between honest ends: ${text}`),
  ]);
}

/** Nothing may be left on either end once all requests have ended. */
export function checkLeftovers(world: World): string[] {
  const problems: string[] = [];
  const say = (problem: string): void => void problems.push(`left over: ${problem}`);
  const { plane, api } = world;
  const agents = world.agents.filter((agent) => !agent.domain.dead);
  for (const agent of agents) {
    const open = [...agent.streams].filter((stream) => !stream.done);
    if (open.length > 0) say(`${open.length} streams on ${agent.name}`);
    const queued = [...agent.streams].reduce((sum, stream) => sum + stream.queued, 0);
    if (queued > 0) say(`${queued} queued octets on ${agent.name}`);
    if (agent.budget.taken > 0) say(`${agent.budget.taken} borrowed octets on ${agent.name}`);
    const expected = agent.stopping ? 0 : 1;
    if (agent.wires.size !== expected) say(`${agent.wires.size} connections of ${agent.name}`);
    if (agent.stopping && !agent.stopped) say(`${agent.name} has not stopped`);
    // The interval that pings.
    if (agent.domain.timers.size !== expected) say(`${agent.domain.timers.size} timers on ${agent.name}`);
  }
  const { life } = plane;
  const { tunnels, streams, waiting } = life.sockets.status();
  const running = world.running.length;
  if (tunnels.length !== running) say(`${tunnels.length} tunnels of ${running} agents on the plane`);
  if (streams > 0) say(`${streams} streams on the plane`);
  if (waiting > 0) say(`${waiting} requests that wait on the plane`);
  if (life.live.size > 0) say(`${life.live.size} watched requests on the plane`);
  if (life.spill.queuedBytes > 0) say(`${life.spill.queuedBytes} queued octets of uploads`);
  if (life.spill.spilledBytes > 0 || plane.kept.rows.length > 0)
    say(`${plane.kept.rows.length} rows of spilled uploads`);
  if (plane.timers > 0) say(`${plane.timers} timers on the plane, which keep it from sleeping`);
  if (life.handles.size !== running) say(`${life.handles.size} sockets of ${running} agents on the plane`);
  const reading = world.clients.filter((client) => client.reading).map(({ plan }) => plan.key);
  if (reading.length > 0) say(`the content of ${reading.join(', ')} is neither read nor let go`);
  if (api.open > 0) say(`${api.open} requests at the API server`);
  return problems;
}
