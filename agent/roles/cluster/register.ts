import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import type { z } from 'zod';
import { registerAgent } from '#schema/api/clusters/connect.ts';
import type { Input } from '#schema/api/endpoint.ts';
import { AGENT_SECRET } from '#schema/kube/names.ts';
import { isConflict, type KubeCalls, type Secret } from '../../kube/calls.ts';
import type { Logger } from '../../log.ts';
import type { Enrolment } from '../../tunnel/runner.ts';

/** The keys of its Secret, which the import manifest makes beforehand, so that the agent may change this one and no other. The private key is made in the cluster and never leaves it. */
const KEYS = { privateKey: 'privateKey', credential: 'credential', cluster: 'cluster' } as const;

/** Two replicas that start together conflict once or twice; more means something else writes the Secret. */
export const MAX_CONFLICTS = 10;

const Registered = registerAgent.result;
type Registered = z.infer<typeof Registered>;

/** What the agent tells the plane when it registers. The UID stands for the cluster, so that a second import is recognised. */
export type Registration = Input<typeof registerAgent>['body'];

export interface RegisterOptions {
  kube: KubeCalls;
  namespace: string;
  /** The registration token; '' when there is none. */
  registrationToken: () => Promise<string>;
  /** POST /connect/register; throws PlaneRefusal. */
  register: (registration: Registration) => Promise<unknown>;
  log: Logger;
}

/** The cluster is not registered, and there is no token to register it with. */
class NotRegisteredError extends Error {
  constructor() {
    super('there is no credential and no registration token: apply the import manifest of the plane');
    this.name = 'NotRegisteredError';
  }
}

/**
 * The agent's identity: read from its Secret, and made where it is missing. The key is stored before it is registered, and both steps give the same result when they are repeated, so a crash between any
 * two lines, or a second replica at the same time, does no harm.
 * @param rejected a credential that the plane did not accept: register again, with the token that is there now.
 * @throws NotRegisteredError; PlaneRefusal; KubeError.
 */
async function enrol(options: RegisterOptions, rejected: string | null): Promise<Enrolment> {
  const { kube } = options;
  const { secret, key } = await ensureKey(options);
  const kubernetesVersion = await kube.version();
  const privateKey = await webcrypto.subtle.importKey('pkcs8', key, 'Ed25519', false, ['sign']);
  const stored = registeredIn(secret);
  if (stored !== null && stored.credential !== rejected) return { ...stored, privateKey, kubernetesVersion };

  const token = await options.registrationToken();
  if (token === '') throw new NotRegisteredError();
  const answer = await options.register({
    token,
    publicKey: publicKeyOf(key),
    kubeSystemUid: await kube.namespaceUid('kube-system'),
    kubernetesVersion,
  });
  const registered = Registered.parse(answer);
  options.log.info('registered with the plane', { cluster: registered.cluster });
  await updateSecret(options, (current) => {
    const known = registeredIn(current);
    // The other replica was first; its credential is for the same key.
    if (known !== null && known.credential !== rejected) return null;
    return { [KEYS.credential]: encode(registered.credential), [KEYS.cluster]: encode(registered.cluster) };
  });
  return { ...registered, privateKey, kubernetesVersion };
}

/**
 * As {@link enrol}, but asks the API server only when it has to: the plane is to hear of an API server that is down from a tunnel that is up.
 */
export function enroller(options: RegisterOptions): (rejected: string | null) => Promise<Enrolment> {
  let known: Enrolment | null = null;
  return async (rejected) => {
    if (known === null || known.credential === rejected) {
      known = await enrol(options, rejected);
      return known;
    }
    const current = known;
    // For the next dial: a cluster is upgraded while the agent runs.
    options.kube.version().then(
      (kubernetesVersion) => {
        // A registration may have come in between.
        if (known === current) known = { ...current, kubernetesVersion };
      },
      () => undefined,
    );
    return current;
  };
}

async function ensureKey(options: RegisterOptions): Promise<{ secret: Secret; key: Buffer }> {
  const made = await updateSecret(options, (current) => {
    if (current.data?.[KEYS.privateKey] !== undefined) return null;
    options.log.info('making the key of this cluster');
    // A credential without its key is of no use.
    return { [KEYS.privateKey]: newKey().toString('base64'), [KEYS.credential]: '', [KEYS.cluster]: '' };
  });
  return { secret: made, key: Buffer.from(made.data?.[KEYS.privateKey] ?? '', 'base64') };
}

/** Changes the Secret by what `change` gives (null: nothing to do), again from its new state whenever somebody else was faster. */
async function updateSecret(
  { kube, namespace }: RegisterOptions,
  change: (current: Secret) => Record<string, string> | null,
): Promise<Secret> {
  for (let conflicts = 0; ; conflicts++) {
    const current = await kube.readSecret(namespace, AGENT_SECRET);
    const data = change(current);
    if (data === null) return current;
    try {
      // With the resourceVersion that was read: the API server refuses it when the Secret has changed since.
      return await kube.replaceSecret({ ...current, data: { ...current.data, ...data } });
    } catch (error) {
      if (!isConflict(error) || conflicts >= MAX_CONFLICTS) throw error;
    }
  }
}

/** The registration in the Secret; null when there is none that could be used. */
function registeredIn(secret: Secret): Registered | null {
  const stored = Registered.safeParse({
    cluster: decode(secret.data?.[KEYS.cluster]),
    credential: decode(secret.data?.[KEYS.credential]),
  });
  return stored.success ? stored.data : null;
}

/** A new private key, PKCS #8 DER. */
function newKey(): Buffer {
  return generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  }).privateKey;
}

/** The raw public half of a PKCS #8 key, base64url: RFC 8037's `x`. */
function publicKeyOf(pkcs8: Buffer): string {
  const { x } = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  if (typeof x !== 'string') throw new Error('the key in the Secret is not Ed25519');
  return x;
}

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const decode = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString('utf8');
