import * as z from 'zod';

/** How much is written of a call (Kubernetes `apiserver/pkg/apis/audit/v1/types.go`, `Level`). `None` is no event at all. */
export const AuditLevel = z.enum(['None', 'Metadata', 'Request']);
export type AuditLevel = z.infer<typeof AuditLevel>;

/** Bounds of the window's settings: days, and rows. */
export const AUDIT_DAYS = { least: 1, most: 3650 } as const;
export const AUDIT_ROWS = { least: 100, most: 1_000_000 } as const;

/**
 * How far the call had come: received; its response begun, for those that go on (an exec); or answered. Of these an event that is never followed by a later one
 * means that nobody heard the answer.
 */
export const AuditStage = z.enum(['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
export type AuditStage = z.infer<typeof AuditStage>;

/** Key of the annotation that names the cluster. */
export const CLUSTER_ANNOTATION = 'outrider.dev/cluster';
/** … that keeps the Audit-ID which the client chose itself, and by which the API server's log has the call. */
export const CLIENT_AUDIT_ID_ANNOTATION = 'outrider.dev/client-audit-id';
/** … that counts the events which were dropped because the plane's database was away for too long. */
export const DROPPED_ANNOTATION = 'outrider.dev/dropped-events';
/** … that has the code of a refusal (`schema/errors.ts`): the plane did not let it happen, or a sign-in failed. */
export const REFUSED_ANNOTATION = 'outrider.dev/refused';
/** … that counts the refusals which were not written before this one, because there were too many at once. */
export const UNWRITTEN_ANNOTATION = 'outrider.dev/unwritten-refusals';
/** Key of the extra field of a user that names the token. */
export const TOKEN_EXTRA_KEY = 'outrider.dev/token';

/** A client chooses these; the API server's own names are shorter (DNS-1123: 253). */
const MAX_NAME = 256;
export const MAX_REQUEST_URI = 2048;
export const MAX_USER_AGENT = 256;
export const MAX_AUDIT_ID = 64;
/** Groups of a person that are written; more say nothing to a reader. */
export const MAX_GROUPS = 100;

const name = z.string().max(MAX_NAME);
/** `metav1.MicroTime`: RFC 3339 with six digits, UTC. */
const microTime = z.iso.datetime({ precision: 6 });

export const ObjectReference = z.object({
  resource: name.optional(),
  namespace: name.optional(),
  name: name.optional(),
  apiGroup: name.optional(),
  apiVersion: name.optional(),
  subresource: name.optional(),
});
export type ObjectReference = z.infer<typeof ObjectReference>;

/** `audit.k8s.io/v1` Event, with the fields that the plane fills (Kubernetes `apiserver/pkg/apis/audit/v1/types.go`). */
export const AuditEvent = z.object({
  kind: z.literal('Event'),
  apiVersion: z.literal('audit.k8s.io/v1'),
  level: z.enum(['Metadata', 'Request']),
  auditID: z.string().min(1).max(MAX_AUDIT_ID).describe('The id of the request: x-request-id of its answer'),
  stage: AuditStage,
  requestURI: z.string().max(MAX_REQUEST_URI).describe('Without what no schema names: see workers/audit/README.md'),
  verb: name,
  user: z.object({
    username: name,
    uid: name.optional(),
    groups: z.array(name).max(MAX_GROUPS).optional(),
    extra: z.record(name, z.array(name)).optional(),
  }),
  sourceIPs: z.array(z.string().max(64)).max(1).optional(),
  userAgent: z.string().max(MAX_USER_AGENT).optional(),
  objectRef: ObjectReference.optional(),
  responseStatus: z.object({ metadata: z.object({}), code: z.int() }).optional(),
  requestObject: z.record(z.string(), z.unknown()).optional().describe('At level Request, redacted'),
  requestReceivedTimestamp: microTime,
  stageTimestamp: microTime,
  annotations: z.record(name, name),
});
export type AuditEvent = z.infer<typeof AuditEvent>;

/** A moment as events have it. @param at epoch ms */
export const microMoment = (at: number): string => new Date(at).toISOString().replace('Z', '000Z');

/** The event of a call that was refused. @param at epoch ms */
export function refused(event: AuditEvent, code: string, status: number, at: number): AuditEvent {
  const ended = atStage(event, 'ResponseComplete', status, at);
  return { ...ended, annotations: { ...ended.annotations, [REFUSED_ANNOTATION]: code } };
}

/** The event of a later stage of the same call. @param at epoch ms */
export function atStage(event: AuditEvent, stage: AuditStage, code: number, at: number): AuditEvent {
  return { ...event, stage, responseStatus: { metadata: {}, code }, stageTimestamp: microMoment(at) };
}
