import type { Command } from 'commander';
import * as z from 'zod';
import type { Io } from '../../io.ts';
import { ClusterId } from '#schema/ids.ts';
import { Failure } from '../../exits.ts';
import { clusterToken } from '../../signin/cluster-token.ts';
import type { ServerOptions } from '../../session.ts';
import { keepSignIn } from '../../signin/sign-in.ts';
import { signInInteractively } from './login.ts';
import { withExamples, withServer } from '../options.ts';

/** What kubectl says about itself in KUBERNETES_EXEC_INFO (`client.authentication.k8s.io`, ExecCredential). */
const ExecInfo = z.object({
  apiVersion: z.enum(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']),
  spec: z.object({ interactive: z.boolean() }),
});

export function addToken(parent: Command, io: Io): void {
  const command = withServer(
    parent.command('token').description('give kubectl a token (the exec plugin that `kubeconfig add` sets up)'),
  )
    .option('--cluster <id>', 'id of the cluster that it is for')
    .action((options: ServerOptions & { cluster?: string }) => printToken(io, options));
  withExamples(
    command,
    'outrider token --cluster c-gabcdefghijklmnopqr',
    'outrider token | jq -r .status.token   # of the sign-in itself',
  );
}

async function printToken(io: Io, { cluster, ...server }: ServerOptions & { cluster?: string }): Promise<void> {
  if (cluster !== undefined && !ClusterId.safeParse(cluster).success) {
    throw new Failure('usage', '--cluster must be the id of a cluster, as in `outrider clusters list -o wide`');
  }
  const asked = execInfo(io.env['KUBERNETES_EXEC_INFO']);
  // Programs that run kubectl by themselves would open a page after another, all night.
  const isSomebodyThere = io.terminal.in && io.terminal.err && (asked === null || asked.spec.interactive);
  const { token, expiresAt } = await clusterToken(io, {
    ...server,
    cluster,
    signIn: isSomebodyThere
      ? async (place) => void (await keepSignIn(io, place, await signInInteractively(io, place)))
      : undefined,
  });
  const credential = {
    apiVersion: asked?.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token, ...(expiresAt === undefined ? {} : { expirationTimestamp: expiresAt }) },
  };
  io.out(`${JSON.stringify(credential)}\n`);
}

function execInfo(text: string | undefined): z.infer<typeof ExecInfo> | null {
  if (text === undefined || text === '') return null;
  try {
    return ExecInfo.parse(JSON.parse(text));
  } catch {
    throw new Failure('usage', 'KUBERNETES_EXEC_INFO is not of a version that outrider knows: v1 or v1beta1');
  }
}
