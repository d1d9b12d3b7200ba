import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { DemoCluster } from '../../demo/cluster.ts';
import { writeWhole } from '../state/data-dir.ts';

const whoAmIAnswer = z.object({
  status: z.object({
    userInfo: z.object({
      username: z.string(),
      groups: z.array(z.string()),
      extra: z.record(z.string(), z.array(z.string())).optional(),
    }),
  }),
});
const adminKubeconfig = z.looseObject({
  users: z.tuple([z.looseObject({ user: z.record(z.string(), z.string()) })]),
});

/** The two ways to the demo cluster: paths of kubeconfigs. */
export interface DemoKubeconfigs {
  /** Through the plane. */
  readonly plane: string;
  /** Straight to the API server, as the same person, so that the two can be compared. */
  readonly direct: string;
}

/** Where the two are. */
export const kubeconfigsIn = (folder: string): DemoKubeconfigs => ({
  plane: join(folder, 'kubeconfig'),
  direct: join(folder, 'direct.kubeconfig'),
});

/** The direct way as the very identity that the plane impersonates: the cluster says itself who that is. */
export async function writeDirect(cluster: DemoCluster, kubeconfigs: DemoKubeconfigs): Promise<void> {
  const args = ['auth', 'whoami', '--output', 'json'];
  const { stdout } = await cluster.kubectl(args, { kubeconfig: kubeconfigs.plane });
  const { username, groups, extra } = whoAmIAnswer.parse(JSON.parse(stdout)).status.userInfo;
  const admin = adminKubeconfig.parse(JSON.parse(await readFile(cluster.adminKubeconfig, 'utf8')));
  const [entry] = admin.users;
  const user = { ...entry.user, as: username, 'as-groups': groups, 'as-user-extra': extra ?? {} };
  const config = { ...admin, users: [{ ...entry, user }] };
  await writeWhole(kubeconfigs.direct, `${JSON.stringify(config, undefined, 2)}\n`);
}
