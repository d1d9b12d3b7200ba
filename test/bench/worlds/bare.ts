import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { startPlane } from '#scripts/local/plane.ts';
import { firstAdministrator } from '#test/support/people.ts';
import { importManifest } from '#test/support/worlds/world.ts';
import { Program } from '../run/program.ts';
import { startBenchAgent } from './agent.ts';
import { hopOf, startKonnectivity, startRemotedialer } from './peers.ts';
import { type Hop, UNBOUNDED, type Way, type World, type WorldContext } from './world.ts';

const Ready = z.object({ address: z.string() });
const idAnswer = z.object({ id: z.string() });
const tokenAnswer = z.object({ token: z.string() });

/** One backend that does nothing but answer, and the ways to it; `rttMs` is added where agents dial, and for `direct` before the backend. */
export async function startBareWorld(context: WorldContext, name: 'bare' | 'wan', rttMs: number): Promise<World> {
  const { certificates, cleanup, dir, paths, programs } = context;
  const argv = [
    ...[programs.backend, '--listen', '127.0.0.1:0'],
    ...['--cert', certificates.cert, '--key', certificates.key],
  ];
  const backend = await Program.start('backend', argv, dir);
  cleanup.defer(() => backend.stop());
  const { address } = await backend.ready(Ready);
  const upstream = { url: `https://${address}`, ca: certificates.ca };
  const hop = hopOf(context, rttMs);

  const ways: World['ways'] = {
    direct: {
      // With a token of the same size as the others', which nobody looks at.
      target: {
        url: `https://${await hop(address)}`,
        ca: certificates.ca,
        tokenFile: certificates.tokenFile,
      },
    },
    ...(paths.includes('outrider') && { outrider: await startOutrider(context, upstream.url, hop) }),
    ...(paths.includes('remotedialer') && { remotedialer: await startRemotedialer(context, upstream, hop) }),
    ...(paths.includes('konnectivity') && { konnectivity: await startKonnectivity(context, upstream, hop) }),
  };
  return { name, ways };
}

/** A plane with one person, whose token goes the whole authenticated way, and an agent. */
async function startOutrider(context: WorldContext, apiServer: string, hop: Hop): Promise<Way> {
  const { certificates, cleanup, dir, say } = context;
  const plane = await startPlane({ dataDir: join(dir, 'plane'), say, vars: UNBOUNDED });
  cleanup.defer(() => plane.stop(true));
  const [, api] = await firstAdministrator(plane);
  cleanup.defer(() => api.close());
  const { id: clusterId } = await api.json(idAnswer, 'POST', '/v1/clusters', { metadata: { name: 'bench' }, spec: {} });
  const { registrationToken } = await importManifest(api, clusterId);
  const { token } = await api.json(tokenAnswer, 'POST', '/v1/tokens', { spec: { cluster: clusterId } });
  const tokenFile = join(dir, 'person-token');
  await writeFile(tokenFile, token, { mode: 0o600 });

  const agentWorld = {
    dir: join(dir, 'agent'),
    server: `https://${await hop(`${plane.host}:${plane.port}`)}`,
    serverCa: plane.caPem,
    apiServer,
    apiServerCa: certificates.caPem,
    bootstrapToken: randomBytes(32).toString('base64url'),
    registrationToken,
  };
  const processes = await startBenchAgent(context, agentWorld, plane, { clusterId, token });
  return {
    target: { url: `${plane.url}/k8s/clusters/${clusterId}`, ca: plane.caFile ?? certificates.ca, tokenFile },
    processes,
  };
}
