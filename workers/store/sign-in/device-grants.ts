import * as z from 'zod';
import { changes, first, Flag } from '../rows.ts';
import { unwitnessed } from '../writes.ts';

/** Answers about codes that have expired go on for so long, seconds; then nobody knows them. */
const KEPT_SECONDS = 3600;

/** A slow_down adds this to the interval (RFC 8628 §3.5). */
const SLOWER_SECONDS = 5;

const Row = z
  .object({
    client_id: z.string(),
    device_name: z.string(),
    address: z.string().nullable(),
    created_at: z.int(),
    expires_at: z.int(),
    too_fast: Flag,
    status: z.enum(['pending', 'approved', 'denied', 'used']),
    user_id: z.string().nullable(),
    decided_at: z.int().nullable(),
  })
  .transform((row) => ({
    clientId: row.client_id,
    deviceName: row.device_name,
    address: row.address,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    tooFast: row.too_fast,
    status: row.status,
    userId: row.user_id,
    decidedAt: row.decided_at,
  }));

/** A device that asks for a sign-in. Moments: epoch seconds. */
export type DeviceGrant = z.output<typeof Row>;

const COLUMNS = 'client_id, device_name, address, created_at, expires_at, too_fast, status, user_id, decided_at';

/** What is known when a device asks. `interval`: seconds between polls. */
export interface NewDeviceGrant {
  readonly deviceHash: string;
  readonly userHash: string;
  readonly clientId: string;
  readonly deviceName: string;
  readonly address: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly interval: number;
}

/** Keeps a device's question, and drops those of long ago. */
export async function addDeviceGrant(given: D1Database, grant: NewDeviceGrant): Promise<void> {
  // Anybody may ask: what a person decides about it is in the audit log.
  const db = unwitnessed(given);
  await db.batch([
    db.prepare('DELETE FROM device_grants WHERE expires_at <= ?1').bind(grant.createdAt - KEPT_SECONDS),
    db
      .prepare(
        `INSERT INTO device_grants
           (device_hash, user_hash, client_id, device_name, address, created_at, expires_at, interval_seconds, too_fast, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 'pending')`,
      )
      .bind(
        grant.deviceHash,
        grant.userHash,
        grant.clientId,
        grant.deviceName,
        grant.address,
        grant.createdAt,
        grant.expiresAt,
        grant.interval,
      ),
  ]);
}

/** Notes a poll, and returns what is known; `tooFast`: it came before the interval was over, which is longer from now on. Null: nobody knows the code. */
export async function pollDeviceGrant(db: D1Database, deviceHash: string, now: number): Promise<DeviceGrant | null> {
  const early = 'last_poll_at IS NOT NULL AND ?2 - last_poll_at < interval_seconds';
  return await first(
    unwitnessed(db)
      .prepare(
        `UPDATE device_grants SET last_poll_at = ?2, too_fast = (${early}),
           interval_seconds = interval_seconds + CASE WHEN ${early} THEN ${SLOWER_SECONDS} ELSE 0 END
         WHERE device_hash = ?1 RETURNING ${COLUMNS}`,
      )
      .bind(deviceHash, now),
    Row,
  );
}

/** A device that waits for its person now, by the code that they typed. */
export async function findDeviceGrant(db: D1Database, userHash: string, now: number): Promise<DeviceGrant | null> {
  return await first(
    db
      .prepare(`SELECT ${COLUMNS} FROM device_grants WHERE user_hash = ?1 AND status = 'pending' AND expires_at > ?2`)
      .bind(userHash, now),
    Row,
  );
}

/** Writes down what a person decided. False: it was decided before, has expired, or was never asked. */
export async function decideDeviceGrant(
  db: D1Database,
  decision: { userHash: string; userId: string; approved: boolean; decidedAt: number; now: number },
): Promise<boolean> {
  const decided = await db
    .prepare(
      `UPDATE device_grants SET status = ?2, user_id = ?3, decided_at = ?4
       WHERE user_hash = ?1 AND status = 'pending' AND expires_at > ?5`,
    )
    .bind(
      decision.userHash,
      decision.approved ? 'approved' : 'denied',
      decision.userId,
      decision.decidedAt,
      decision.now,
    )
    .run();
  return changes(decided) === 1;
}

/** Takes an approval, of which there is one. False: somebody else has. */
export async function useDeviceGrant(db: D1Database, deviceHash: string): Promise<boolean> {
  const used = await db
    .prepare(`UPDATE device_grants SET status = 'used' WHERE device_hash = ?1 AND status = 'approved'`)
    .bind(deviceHash)
    .run();
  return changes(used) === 1;
}
