import { join } from 'node:path';
import { z } from 'zod';
import type { Plane } from '#scripts/local/plane.ts';
import { type AgentRunner, startAgentInProcess, startAgentProcess } from '../processes/agent.ts';
import { FakeApiServer } from '../fakes/api-server.ts';
import { makePki } from '../fakes/world.ts';
import { Scratch } from '../processes/local.ts';
import { firstAdministrator } from '../people.ts';
import { register } from './world.ts';

const AGENTS = { process: startAgentProcess, 'in-process': startAgentInProcess } as const;

const created = z.object({ id: z.string() });

/** A real plane and a real agent, before an API server that is the test's own: it can be slow, count, and send what no Kubernetes would. */
export interface BareWorld {
  readonly plane: Plane;
  readonly agent: AgentRunner;
  readonly api: FakeApiServer;
  readonly clusterId: string;
  /** The session of the first administrator. */
  readonly token: string;
  /** Where the plane serves a path of the cluster. */
  url(path: string): string;
  stop(): Promise<void>;
}

/** @param project as of `startPlane`: the folder whose Worker is served, given the world's own */
export async function startBareWorld(options: {
  agent: keyof typeof AGENTS;
  project: (folder: string) => Promise<string>;
}): Promise<BareWorld> {
  const scratch = new Scratch();
  try {
    return await start(options, scratch);
  } catch (error) {
    await scratch.clear();
    throw error;
  }
}

async function start(
  { agent: kind, project }: Parameters<typeof startBareWorld>[0],
  scratch: Scratch,
): Promise<BareWorld> {
  const pki = await makePki();
  scratch.defer(() => pki.remove());
  const api = await FakeApiServer.start(pki.identity);
  scratch.defer(() => api.stop());
  const folder = await scratch.folder();
  const plane = await scratch.plane({ project: await project(join(folder, 'project')) });
  const [, management] = await firstAdministrator(plane);
  scratch.defer(() => management.close());
  const { id } = await management.json(created, 'POST', '/v1/clusters', { metadata: { name: 'bare' }, spec: {} });
  const { importUrl } = await register(management, id);
  const agent = await AGENTS[kind]({
    dir: join(folder, 'agent'),
    server: plane.url,
    serverCa: plane.caPem,
    apiServer: api.url,
    apiServerCa: pki.caPem,
    bootstrapToken: 'bootstrap-token',
    registrationToken: /[a-z2-7]{32}/.exec(importUrl)?.[0] ?? '',
  });
  scratch.defer(() => agent.kill());
  await agent.waitConnected();
  return {
    plane,
    agent,
    api,
    clusterId: id,
    token: management.token,
    url: (path) => `${plane.url}/k8s/clusters/${id}${path}`,
    stop: () => scratch.clear(),
  };
}
