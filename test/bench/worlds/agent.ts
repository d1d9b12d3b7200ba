import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleAgent } from '#scripts/image/bundle.ts';
import { ENVIRONMENT, NODE_FLAGS } from '#scripts/image/runtime.ts';
import { type ManagedProcess, startProcess } from '#scripts/demo/processes.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { agentEnvironment, type AgentWorld } from '#test/support/processes/agent.ts';
import { PlaneApi } from '#test/support/api.ts';
import type { PathProcesses } from '../run/usage.ts';
import type { WorldContext } from './world.ts';

const CONNECTED_WITHIN_MS = 30_000;
const ASK_AGAIN_MS = 100;

/** Writes the agent's program as its image has it. @returns its path. */
export async function writeAgentBundle(dir: string): Promise<string> {
  const file = join(dir, 'agent.mjs');
  await writeFile(file, (await bundleAgent()).code);
  return file;
}

/**
 * Starts an agent as its image does, Node's flags and environment included, so that its memory is what a pod's would be. Resolves when a request goes through.
 */
export async function startBenchAgent(
  { agentBundle, cleanup }: WorldContext,
  world: AgentWorld,
  plane: Plane,
  person: { clusterId: string; token: string },
): Promise<PathProcesses> {
  const agent: ManagedProcess = await startProcess({
    name: 'agent',
    argv: [process.execPath, ...NODE_FLAGS, agentBundle],
    env: { ...ENVIRONMENT, ...(await agentEnvironment(world)) },
    logFile: join(world.dir, 'agent.log'),
    stopWithinMs: 0,
  });
  cleanup.defer(() => agent.stop());
  const caller = new PlaneApi(plane, person.token);
  const deadline = Date.now() + CONNECTED_WITHIN_MS;
  // A person who was just added is known to the object once its snapshot has come; a tunnel that is coming is waited for there.
  for (;;) {
    const { status, text } = await caller.call('GET', `/k8s/clusters/${person.clusterId}/version`);
    if (status === 200) break;
    if (Date.now() > deadline || !agent.running()) {
      throw new Error(`the agent did not come: ${status} ${text.slice(0, 300)} (log in ${agent.logFile})`);
    }
    await sleep(ASK_AGAIN_MS);
  }
  await caller.close();
  return {
    agent: () => agent.pid,
    server: () => plane.pid ?? 0,
  };
}
