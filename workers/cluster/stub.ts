import { base32, ClusterId, randomBase32 } from '#schema/ids.ts';
import type { Config } from '../env.ts';
import type { Cluster } from './object.ts';

/** Jurisdictions of Durable Objects by their letter in a cluster id. */
const JURISDICTIONS: ReadonlyMap<string, DurableObjectJurisdiction | null> = new Map([
  ['g', null],
  ['e', 'eu'],
  ['f', 'fedramp'],
]);
export type JurisdictionLetter = 'g' | 'e' | 'f';

/** Characters of the id before its MAC: `c-`, the jurisdiction, ten random ones. */
const BODY_LENGTH = 13;
/** Characters of MAC, five bits each. 40 bits cannot be guessed through an API that answers thousands of requests a second. */
const MAC_LENGTH = 8;

/** Ids whose MAC was checked, with the object's id, whose derivation costs 18 µs a time. Bounded: oldest out. */
const MAX_KNOWN = 10_000;
const known = new Map<string, DurableObjectId>();

/** A new cluster id; see {@link ClusterId} for its parts. */
export async function newClusterId(config: Config, jurisdiction: JurisdictionLetter = 'g'): Promise<string> {
  const body = `c-${jurisdiction}${randomBase32(10)}`;
  return body + (await mac(config, body));
}

/** The object of a cluster; null when the id is not one that this plane made. Get a new stub for each request: one that has failed stays broken. */
export async function clusterObject(
  env: Env,
  config: Config,
  clusterId: string,
): Promise<DurableObjectStub<Cluster> | null> {
  const id = known.get(clusterId) ?? (await verified(env, config, clusterId));
  return id === null ? null : namespaceOf(env, clusterId).get(id);
}

/** As {@link clusterObject}, for an id that was found to be one of this plane's before; else null. */
export function knownObject(env: Env, clusterId: string): DurableObjectStub<Cluster> | null {
  const id = known.get(clusterId);
  return id === undefined ? null : namespaceOf(env, clusterId).get(id);
}

/** Whether `id` is the object of a cluster: what an object is named after it cannot read, but it can compare. */
export function isObjectOf(env: Env, clusterId: string, id: DurableObjectId): boolean {
  return ClusterId.safeParse(clusterId).success && namespaceOf(env, clusterId).idFromName(clusterId).equals(id);
}

async function verified(env: Env, config: Config, clusterId: string): Promise<DurableObjectId | null> {
  if (!ClusterId.safeParse(clusterId).success) return null;
  const expected = await mac(config, clusterId.slice(0, BODY_LENGTH));
  if (!equal(expected, clusterId.slice(BODY_LENGTH))) return null;
  const id = namespaceOf(env, clusterId).idFromName(clusterId);
  const oldest = known.keys().next();
  if (known.size >= MAX_KNOWN && oldest.done !== true) known.delete(oldest.value);
  known.set(clusterId, id);
  return id;
}

/** The letter was checked by {@link ClusterId}. */
function namespaceOf(env: Env, clusterId: string): DurableObjectNamespace<Cluster> {
  const clusters: DurableObjectNamespace<Cluster> = env.CLUSTERS;
  const jurisdiction = JURISDICTIONS.get(clusterId.charAt(2)) ?? null;
  return jurisdiction === null ? clusters : clusters.jurisdiction(jurisdiction);
}

async function mac(config: Config, body: string): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', config.clusterIdKey, new TextEncoder().encode(body));
  return base32(new Uint8Array(signature)).slice(0, MAC_LENGTH);
}

/** Compares without telling by its time where two texts differ. */
function equal(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
