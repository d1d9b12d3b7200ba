import type { registerAgent } from '#schema/api/clusters/connect.ts';
import type { Input, Result } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { randomBase32 } from '#schema/ids.ts';
import { signAgentCredential } from '../authn/agent-credential.ts';
import { hashSecret } from '../authn/secret.ts';
import type { Config } from '../env.ts';
import type { Commit } from '../store/rights/access.ts';
import { findClusterByUid } from '../store/clusters.ts';
import { claimRegistrationToken, findRegistrationToken, type RegistrationToken } from '../store/registration-tokens.ts';
import { isDuplicate } from '../store/rows.ts';

interface RegisterDeps {
  readonly db: D1Database;
  readonly config: Config;
  readonly commit: Commit;
  /** Epoch seconds. */
  readonly now: number;
}

type Body = Input<typeof registerAgent>['body'];

/**
 * Gives an agent its credential. A token is bound to the first key that uses it; the same key may ask again and gets the same answer, so an agent that
 * dies between any two lines just asks again. Every token used is a new generation of the cluster's agent, and ends the older one's credentials.
 * @throws OutriderError unauthenticated, conflict, already_imported
 */
export async function register(
  { db, config, commit, now }: RegisterDeps,
  body: Body,
): Promise<Result<typeof registerAgent>> {
  const hash = await hashSecret(body.token);
  const unused = await findRegistrationToken(db, hash, now);
  if (unused === null) throw unknownToken();
  if (unused.publicKey === null) {
    await refuseOtherCluster(db, unused, body.kubeSystemUid);
    await claim({ db, commit, now }, unused, body);
  }
  const token = await findRegistrationToken(db, hash, now);
  if (token === null) throw unknownToken();
  if (token.publicKey === null) {
    await refuseOtherCluster(db, token, body.kubeSystemUid);
    throw new OutriderError('conflict', 'the registration was overtaken by another; try again');
  }
  if (token.publicKey !== body.publicKey) {
    throw new OutriderError(
      'conflict',
      'this registration token was used by another agent; make a new one, and apply its manifest',
    );
  }
  if (token.kubeSystemUid !== body.kubeSystemUid) throw otherCluster(token);
  if (token.generation !== token.agentGeneration) {
    throw new OutriderError('unauthenticated', 'a later registration of this cluster has replaced this one');
  }
  const agent = { cluster: token.cluster, publicKey: body.publicKey, generation: token.generation };
  return { cluster: token.cluster, credential: await signAgentCredential(config, agent) };
}

async function claim(
  { db, commit, now }: Omit<RegisterDeps, 'config'>,
  token: RegistrationToken,
  { publicKey, kubeSystemUid, kubernetesVersion }: Body,
): Promise<void> {
  const registration = { token, claim: randomBase32(16), publicKey, kubeSystemUid, kubernetesVersion, now };
  try {
    await claimRegistrationToken(db, commit, registration);
  } catch (error) {
    // Two clusters of the plane were given to the same Kubernetes at the same moment.
    if (isDuplicate(error, 'clusters.kube_system_uid')) await refuseOtherCluster(db, token, kubeSystemUid);
    throw error;
  }
}

/** A Kubernetes cluster is one cluster of the plane, for good: otherwise a token for one would hand its people another. */
async function refuseOtherCluster(db: D1Database, token: RegistrationToken, kubeSystemUid: string): Promise<void> {
  const known = await findClusterByUid(db, kubeSystemUid);
  if (known !== null && known.id !== token.cluster) {
    throw new OutriderError(
      'already_imported',
      `this Kubernetes cluster is imported already, as ${known.name} (${known.id}); delete that one first, or import with its registration token`,
    );
  }
  if (token.kubeSystemUid !== null && token.kubeSystemUid !== kubeSystemUid) throw otherCluster(token);
}

const unknownToken = (): OutriderError =>
  new OutriderError(
    'unauthenticated',
    'the registration token is not known, has expired or was taken back; make a new one, and apply its manifest',
  );

const otherCluster = (token: RegistrationToken): OutriderError =>
  new OutriderError(
    'conflict',
    `${token.clusterName} (${token.cluster}) is another Kubernetes cluster: the UID of its kube-system differs; add a new cluster for this one`,
  );
