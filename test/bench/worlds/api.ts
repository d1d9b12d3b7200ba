import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAMESPACE, PROXY_ACCOUNT } from '#schema/kube/names.ts';
import { AUTHENTICATED_GROUP, CLUSTER_OWNER_GROUP } from '#schema/access.ts';
import { importManifest, startWorld, withoutPods, type World as TestWorld } from '#test/support/worlds/world.ts';
import { startBenchAgent } from './agent.ts';
import { DIRECT_ACCOUNT, fillCluster } from './objects.ts';
import { startKonnectivity, startRemotedialer } from './peers.ts';
import { type Hop, UNBOUNDED, type Way, type World, type WorldContext } from './world.ts';

/** A run is done long before. */
const TOKEN_LIFE = '--duration=2h';

const straight: Hop = (address) => Promise.resolve(address);

/**
 * A real API server, and the ways to it. `direct` is a service account with all rights. The others call it as the agent's own account, which impersonates the same owner.
 */
export async function startApiWorld(context: WorldContext): Promise<World> {
  const { cleanup, dir, paths } = context;
  // Without a node: what would run there only takes time from the measured.
  const world = await startWorld({ agent: 'none', cluster: 'api', auditLog: false, vars: UNBOUNDED });
  cleanup.defer(() => world.stop());
  const { manifest, registrationToken } = await importManifest(world.api, world.clusterId);
  await world.admin.ok(['apply', '-f', '-'], { input: withoutPods(manifest) });

  const file = async (name: string, text: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const tokenOf = async (namespace: string, account: string): Promise<string> =>
    (await world.admin.ok(['-n', namespace, 'create', 'token', account, TOKEN_LIFE])).trim();
  const ca = await file('cluster-ca.crt', world.cluster.caPem);
  const url = world.cluster.apiServer;
  const directToken = await fillCluster(world, () => tokenOf(DIRECT_ACCOUNT.namespace, DIRECT_ACCOUNT.name));

  const upstream = {
    url,
    ca,
    as: {
      tokenFile: await file('proxy-token', await tokenOf(NAMESPACE, PROXY_ACCOUNT)),
      user: world.owner.id,
      groups: [CLUSTER_OWNER_GROUP, AUTHENTICATED_GROUP],
    },
  };
  const ways: World['ways'] = {
    direct: { target: { url, ca, tokenFile: await file('direct-token', directToken) } },
    ...(paths.includes('outrider') && {
      outrider: await throughOutrider(context, world, registrationToken, file),
    }),
    ...(paths.includes('remotedialer') && { remotedialer: await startRemotedialer(context, upstream, straight) }),
    ...(paths.includes('konnectivity') && { konnectivity: await startKonnectivity(context, upstream, straight) }),
  };
  return { name: 'api', ways };
}

async function throughOutrider(
  context: WorldContext,
  world: TestWorld,
  registrationToken: string,
  file: (name: string, text: string) => Promise<string>,
): Promise<Way> {
  const { plane, clusterId, cluster, admin, owner } = world;
  const agentWorld = {
    dir: join(context.dir, 'agent'),
    server: plane.url,
    serverCa: plane.caPem,
    apiServer: cluster.apiServer,
    apiServerCa: cluster.caPem,
    bootstrapToken: (await admin.ok(['-n', NAMESPACE, 'create', 'token', 'outrider-agent', TOKEN_LIFE])).trim(),
    registrationToken,
  };
  const token = owner.token.text;
  const processes = await startBenchAgent(context, agentWorld, plane, { clusterId, token });
  return {
    target: {
      url: `${plane.url}/k8s/clusters/${clusterId}`,
      ca: await file('plane-ca.crt', plane.caPem),
      tokenFile: await file('person-token', token),
    },
    processes,
  };
}
