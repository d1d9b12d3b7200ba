// The plane's Worker with a way to reset a cluster's object, as a deploy does: for tests with real processes, which bundle this file in the Worker's place.
// oxlint-disable-next-line no-restricted-imports -- an entry point in another's place has what that has
import plane, { Cluster as PlaneCluster } from '#workers/index.ts';

// oxlint-disable-next-line no-restricted-imports -- as above
export { AuditKeeper, Dispatcher, Refresher } from '#workers/index.ts';

/** `POST /test/reset/<cluster>` resets the object of a cluster. No plane has such a path. */
const RESET = /^\/test\/reset\/([a-z0-9-]+)$/;

export class Cluster extends PlaneCluster {
  /** RPC: breaks everything that this object has under way, and its sockets. */
  async reset(): Promise<void> {
    this.ctx.abort('Durable Object reset because its code was updated.');
  }
}

// oxlint-disable-next-line import/no-default-export -- workerd looks for it
export default {
  async fetch(request, env, context) {
    const cluster = RESET.exec(new URL(request.url).pathname)?.[1];
    if (cluster === undefined) return await plane.fetch(request, env, context);
    const objects = env.CLUSTERS as unknown as DurableObjectNamespace<Cluster>;
    // It cannot answer: the call breaks with the rest.
    await objects
      .get(objects.idFromName(cluster))
      .reset()
      .catch(() => undefined);
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
