import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Stage } from '../stage.ts';

/** What both ends hold when nothing is under way. */
export interface Holdings {
  readonly agentStreams: number;
  readonly agentTunnels: number;
  readonly agentSockets: number;
  readonly agentMebibytes: number;
  readonly planeStreams: number;
  readonly planeTunnels: number;
  readonly planeSockets: number;
  readonly planeMebibytes: number;
  /** Connections in the relays. */
  readonly fromClients: number;
  readonly fromAgent: number;
  readonly toApiServer: number;
  /** Watches that the API server is still answering. */
  readonly watches: number;
}

/** By then everything has to be gone, ms: closing handshakes and the like take their time, an abandoned dial 15 s. */
const GONE_WITHIN_MS = 20_000;
const LOOK_MS = 100;

/** Looking takes connections of its own, which are kept for a while: of the agent's status page, and of the management API. */
const LOOKING_SOCKETS = 2;

/** What the agent's pod may take under load. */
const AGENT_MEBIBYTES = 150;
/** workerd has no limit here, and collects garbage late; a leak of what schedules send, some 100 MiB, would show in ten of them. */
const PLANE_MEBIBYTES = 600;

/**
 * Waits until nothing is left of what was under way, but what `baseline` had.
 *
 * @returns what is left all the same, one sentence each
 */
export async function leftovers(
  stage: Stage,
  schedule: string,
  baseline: Holdings | null,
  withinMs = GONE_WITHIN_MS,
): Promise<{ held: Holdings; left: string[] }> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const held = await look(stage, schedule);
    const left = excess(held, baseline);
    if (left.length === 0) return { held, left };
    if (performance.now() > deadline) return { held, left: [...left, ...linesOf(stage)] };
    // Connections that are kept for the next request are not under way, and would be counted. Not before: the cut would end what has been forgotten.
    if (held.planeStreams + held.agentStreams + held.watches === 0) stage.hops.relay('agent-to-api-server').cut('fin');
    await sleep(LOOK_MS);
  }
}

function linesOf({ hops }: Stage): string[] {
  const legs = ['client-to-plane', 'agent-to-plane', 'agent-to-api-server'] as const;
  return legs.flatMap((leg) => hops.relay(leg).states.map((state) => `a line ${leg}: ${state}`));
}

function excess(held: Holdings, baseline: Holdings | null): string[] {
  const exact = {
    agentStreams: 0,
    planeStreams: 0,
    agentTunnels: 1,
    planeTunnels: 1,
    fromClients: 0,
    fromAgent: 1,
    toApiServer: 0,
    watches: 0,
  };
  const most = {
    agentSockets: baseline === null ? Infinity : baseline.agentSockets + LOOKING_SOCKETS,
    planeSockets: baseline === null ? Infinity : baseline.planeSockets + LOOKING_SOCKETS,
    agentMebibytes: AGENT_MEBIBYTES,
    planeMebibytes: PLANE_MEBIBYTES,
  };
  const name = (key: string): key is keyof Holdings => key in held;
  return [
    ...Object.entries(exact).flatMap(([key, value]) =>
      name(key) && held[key] !== value ? [`left over: ${key} ${held[key]} instead of ${value}`] : [],
    ),
    ...Object.entries(most).flatMap(([key, value]) =>
      name(key) && held[key] > value ? [`left over: ${key} ${held[key]}, more than ${value}`] : [],
    ),
  ];
}

const statusShape = z.object({ items: z.array(z.unknown()), streams: z.int() });

async function look({ world, agent, hops, audit }: Stage, schedule: string): Promise<Holdings> {
  const metrics = await agent.metrics();
  const status = await world.api
    .json(statusShape, 'GET', `/v1/clusters/${world.clusterId}/tunnels`)
    // Of a plane that was killed, the first call may find the old connection.
    .catch(() => ({ items: [], streams: -1 }));
  const planePid = world.plane.pid ?? 0;
  return {
    agentStreams: sum(metrics, 'outrider_agent_streams_open'),
    agentTunnels: sum(metrics, 'outrider_agent_tunnel_connected'),
    agentSockets: await sockets(agent.pid),
    agentMebibytes: await mebibytes(agent.pid),
    planeStreams: status.streams,
    planeTunnels: status.items.length,
    planeSockets: await sockets(planePid),
    planeMebibytes: await mebibytes(planePid),
    fromClients: hops.relay('client-to-plane').connections,
    fromAgent: hops.relay('agent-to-plane').connections,
    toApiServer: hops.relay('agent-to-api-server').connections,
    watches: await audit.open(`mark=${schedule}-`),
  };
}

/** A metric, over all its labels. */
function sum(exposition: string, metric: string): number {
  const lines = exposition.split('\n').filter((line) => line.startsWith(metric));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function sockets(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    // One that was closed in between is none.
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith('socket:')).length;
}

async function mebibytes(pid: number): Promise<number> {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(resident) / 1024);
}
