import * as z from 'zod';
import { ClusterId, TokenId, UserId } from './ids.ts';

/** The group that the import manifest binds to cluster-admin (`design.md` §2). */
export const CLUSTER_OWNER_GROUP = 'outrider.dev:cluster-owner';
/** The members of a cluster who are not its owners; bound to nothing unless the owner binds it. */
export const CLUSTER_MEMBER_GROUP = 'outrider.dev:cluster-member';
/** Who may look at a cluster and change nothing; the import manifest binds it to what the API server's own `view` role shows, and to what belongs to no namespace. */
export const CLUSTER_READ_ONLY_GROUP = 'outrider.dev:cluster-read-only';
/** The only `system:` group that an agent would send. The API server gives it to everybody, so the plane does not ask for it. */
export const AUTHENTICATED_GROUP = 'system:authenticated';

/** What somebody may be in a cluster: owners are bound to cluster-admin, the read-only to seeing, members to nothing unless the owner binds them. Strongest first. */
export const Role = z.enum(['owner', 'member', 'read-only']);
export type Role = z.infer<typeof Role>;

const seconds = z.int().min(0);

/** A person with access to one cluster. */
export const Person = z.object({
  username: z.string().min(1).max(256),
  enabled: z.boolean(),
  /** Kubernetes groups, without {@link AUTHENTICATED_GROUP}. */
  groups: z.array(z.string().min(1).max(256)).max(1024),
  /** Tokens issued before this moment (epoch seconds) are refused. */
  notBefore: seconds,
});
export type Person = z.infer<typeof Person>;

/**
 * Who may do what in one cluster (`design.md` §2): made by `workers/access/snapshot.ts`, judged by `workers/authz/policy.ts`.
 * Versions are those of the whole plane's access counter; the higher one wins whatever the order of arrival.
 */
export const AccessSnapshot = z.object({
  version: z.int().min(0),
  cluster: z.object({
    id: ClusterId,
    name: z.string().min(1).max(256),
    /** Agent credentials of a lower generation are dead. */
    agentGeneration: z.int().min(0),
  }),
  people: z.record(UserId, Person),
  /** Token id → expiry (epoch seconds); dropped once expired. */
  revokedTokens: z.record(TokenId, seconds),
});
export type AccessSnapshot = z.infer<typeof AccessSnapshot>;

/**
 * Who a verified token speaks for. The signature and expiry were checked; the snapshot says what was taken back since. Strict, because a field that a newer
 * Worker sends and an older object does not know may be a restriction.
 */
export const Principal = z.strictObject({
  user: UserId,
  token: TokenId,
  /** Epoch seconds. */
  issuedAt: seconds,
  expiresAt: seconds,
  /** The one cluster the token is good for; null: any. */
  cluster: ClusterId.nullable(),
  readOnly: z.boolean(),
  /** The access counter when the token was made: a snapshot below it may not know the person yet. */
  accessVersion: z.int().min(0),
});
export type Principal = z.infer<typeof Principal>;

/** Whose tunnel is being dialled, from a verified agent credential; strict as {@link Principal}. `publicKey`: raw Ed25519, base64url. */
export const AgentPrincipal = z.strictObject({
  cluster: ClusterId,
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  generation: z.int().min(0),
});
export type AgentPrincipal = z.infer<typeof AgentPrincipal>;
