import { env } from 'cloudflare:workers';
import { AuditEvent } from '#schema/audit/event.ts';

/** What the plane's database has, oldest first: of one cluster, or all. */
export async function landed(cluster?: string): Promise<AuditEvent[]> {
  const { results } = await env.DB.prepare(
    'SELECT event FROM audit_events WHERE ?1 IS NULL OR cluster_id = ?1 ORDER BY received_ms, rowid',
  )
    .bind(cluster ?? null)
    .all<{ event: string }>();
  return results.map(({ event }) => AuditEvent.parse(JSON.parse(event)));
}

/** The id, stage and code of each. */
export const told = (events: readonly AuditEvent[]): unknown[] =>
  events.map(({ auditID, stage, responseStatus }) => [auditID, stage, responseStatus?.code]);

/** Runs something while nothing can be written into the audit log. */
export async function withoutAuditLog<T>(run: () => Promise<T>): Promise<T> {
  await env.DB.prepare('ALTER TABLE audit_events RENAME TO audit_events_away').run();
  try {
    return await run();
  } finally {
    await env.DB.prepare('ALTER TABLE audit_events_away RENAME TO audit_events').run();
  }
}
