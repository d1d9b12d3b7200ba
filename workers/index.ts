import { AccessDispatcher } from './access/dispatcher.ts';
import type { ClusterControl } from './access/delivery.ts';
import { clusterObject } from './cluster/stub.ts';
import type { DirectoryVia } from '#schema/directory/direct.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { PeopleRefresher } from './authn/providers/people/refresher.ts';
import { readConfig } from './env.ts';
import { askDirectory } from './http/ask.ts';
import { serve } from './http/serve.ts';

export { AuditKeeper } from './audit/keeper.ts';
export { Cluster } from './cluster/object.ts';

/** The dispatcher, told here where clusters' objects are: the access it carries lies below them. */
export class Dispatcher extends AccessDispatcher {
  protected override async cluster(clusterId: string): Promise<ClusterControl> {
    const stub = await clusterObject(this.env, await readConfig(this.env), clusterId);
    if (stub === null) throw new Error(`the id ${clusterId} in the database is not of this plane`);
    return stub;
  }
}

/** The refresher, told here how a directory is asked. */
export class Refresher extends PeopleRefresher {
  protected override async ask(via: DirectoryVia, question: DirectoryQuestion): Promise<DirectoryAnswer> {
    return await askDirectory(this.env, await readConfig(this.env), via, question);
  }
}

export default {
  async fetch(request, env, context) {
    return await serve(request, env, context);
  },
} satisfies ExportedHandler<Env>;
