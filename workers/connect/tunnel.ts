import type { AgentPrincipal } from '#schema/access.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { verifyAgentCredential } from '../authn/agent-credential.ts';
import { bearerToken } from '../authn/bearer.ts';
import { writeAgent } from '../cluster/request/caller.ts';
import { FORMER_CALLER_HEADER, outOfStep, withWord } from '../cluster/request/word.ts';
import { clusterObject } from '../cluster/stub.ts';
import type { Config } from '../env.ts';
import { describeError, log } from '../log.ts';
import { findCluster } from '../store/clusters.ts';

/**
 * An agent's dial: a stranger is refused before any object wakes, the rest is between the agent and its cluster's object, which challenges the key.
 * @param facts `address`: whom the platform says the agent to be, as throttles count
 * @throws OutriderError
 */
export async function dialTunnel(
  request: Request,
  env: Env,
  config: Config,
  facts: { requestId: string; address: string | null },
): Promise<Response> {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    throw new OutriderError('bad_request', 'a tunnel is a WebSocket');
  }
  if (request.headers.has(FORMER_CALLER_HEADER)) throw outOfStep();
  const { requestId, address } = facts;
  const credential = bearerToken(request.headers);
  const agent = await verifyAgentCredential(config, credential, Math.floor(Date.now() / 1000));
  await refuseOld(env.DB, agent);
  const stub = await clusterObject(env, config, agent.cluster);
  if (stub === null) throw unknownCluster();
  const said = { requestId, traceparent: '', continued: false, acceptEncoding: null, address: address ?? '' };
  return await stub.fetch(withWord(request.url, { kind: 'dial', caller: writeAgent(agent), ...said }), request);
}

/**
 * Refuses agents of removed clusters and of ended generations here, or one left behind would wake an object for ever. When the database cannot say, the object
 * judges by the snapshot that it holds: agents reconnect while the database is down.
 */
async function refuseOld(db: D1Database, agent: AgentPrincipal): Promise<void> {
  let cluster: Awaited<ReturnType<typeof findCluster>>;
  try {
    cluster = await findCluster(db, agent.cluster);
  } catch (error) {
    log('warn', 'an agent dials while the database is away', { cluster: agent.cluster, error: describeError(error) });
    return;
  }
  if (cluster === null) throw new OutriderError('unknown_cluster', 'the cluster was removed from the plane');
  if (agent.generation !== cluster.agentGeneration) {
    throw new OutriderError('unauthenticated', 'a later registration of this cluster has replaced this one');
  }
}
