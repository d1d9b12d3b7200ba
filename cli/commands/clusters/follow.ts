import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '#schema/api/client.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { type ClusterRow, isConnected, span } from '../../output/kinds.ts';

/** An agent dials within seconds of its pod's start; asking more often shows nothing sooner. */
const LOOK_MS = 2000;
/** After this long without an agent it is time to look why, ms. */
const HINT_AFTER_MS = 60_000;

const clusters = endpointsOf(ClusterKind);

/** Time, so that a test has its own. */
export interface Clock {
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;
}
const CLOCK: Clock = { now: () => performance.now(), pause: (ms, signal) => pause(ms, undefined, { signal }) };

/**
 * Waits until a cluster's agent is connected, and says what comes of it, a line for each turn. A plane that cannot be reached meanwhile does not end the wait.
 *
 * @throws {Failure} `timed-out`; `interrupted`, with what to run to look again; or as the plane refuses
 */
export async function follow(
  io: Pick<Io, 'say' | 'signal'>,
  api: Client,
  cluster: ClusterRow,
  { timeoutMs, clock = CLOCK }: { timeoutMs: number; clock?: Clock },
): Promise<void> {
  const name = oneLine(cluster.metadata.name);
  const started = clock.now();
  const once = onlyOnce(io.say);
  io.say(`Waiting for the agent of ${name} …`);
  try {
    for (;;) {
      const found = await look(api, cluster.id, once);
      if (found !== null && isConnected(found)) {
        io.say(`${name} is connected: Kubernetes ${oneLine(found.status.kubernetesVersion ?? 'of unknown version')}.`);
        io.say(`Next: outrider kubeconfig add ${name} --use`);
        return;
      }
      const waited = clock.now() - started;
      if (waited > timeoutMs) throw new Failure('timed-out', `${name} did not connect within ${span(timeoutMs)}`);
      if (waited > HINT_AFTER_MS) {
        once('Nothing has come yet. See why: kubectl -n outrider-system logs deployment/outrider-agent');
      }
      await clock.pause(LOOK_MS, io.signal);
    }
  } catch (error) {
    if (!io.signal.aborted) throw error;
    throw new Failure(
      'interrupted',
      `no longer waiting, but the import goes on: \`outrider clusters get ${name}\` shows it`,
    );
  }
}

/** The cluster, or null where the plane cannot answer now. */
async function look(api: Client, cluster: string, say: (line: string) => void): Promise<ClusterRow | null> {
  try {
    return await api.call(clusters.get, { params: { cluster } });
  } catch (error) {
    if (!(error instanceof Failure) || error.exit !== 'unreachable') throw error;
    say(`${error.message}; still trying.`);
    return null;
  }
}

function onlyOnce(say: (line: string) => void): (line: string) => void {
  const said = new Set<string>();
  return (line) => {
    if (!said.has(line)) say(line);
    said.add(line);
  };
}
