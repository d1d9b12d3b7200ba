import type { DemoCluster } from '../demo/cluster.ts';
import type { DemoKubeconfigs } from './demo/kubeconfigs.ts';
import type { Plane } from './plane.ts';
import type { FirstSteps } from './setup.ts';

/** What runs. */
export interface Running {
  cluster?: DemoCluster;
  plane?: Plane;
}

/** What there is to tell when all is up. */
export interface Ready extends FirstSteps {
  readonly plane: Plane;
  readonly demo: {
    readonly kubeconfigs: DemoKubeconfigs;
    /** Path of the kubectl of the cluster's own version. */
    readonly kubectl: string;
  } | null;
}

/** For scripts: one line of JSON. */
export function asJson({ plane, administrator, importCommand, demo }: Ready): string {
  return JSON.stringify({
    url: plane.url,
    ca: plane.caFile,
    dataDir: plane.dataDir.root,
    administrator: { username: administrator.username, password: administrator.password },
    importCommand,
    kubeconfigs: demo?.kubeconfigs ?? null,
  });
}

/** For a person: several lines. */
export function forPerson({ plane, administrator, importCommand, demo }: Ready): string {
  const facts: [string, string][] = [
    ['CA', plane.caFile ?? '(a public one)'],
    ['state', plane.dataDir.root],
    ['administrator', administrator.username],
    ['password', administrator.password ?? '(changed since)'],
  ];
  const ways =
    demo === null
      ? []
      : [
          'The demo cluster, through the plane and straight to its API server:',
          '',
          `  ${demo.kubectl} --kubeconfig ${demo.kubeconfigs.plane} get nodes`,
          `  ${demo.kubectl} --kubeconfig ${demo.kubeconfigs.direct} get nodes`,
          '',
        ];
  return [
    `Outrider is ready: ${plane.url}`,
    '',
    ...facts.map(([name, value]) => `  ${name.padEnd(15)}${value}`),
    '',
    ...(importCommand === null ? [] : ['To import a cluster, run against it:', '', `  ${importCommand}`, '']),
    ...ways,
    'Ctrl-C stops it.',
  ].join('\n');
}
