import { DurableObject } from 'cloudflare:workers';
import { readConfig } from '../env.ts';
import { describeError, log } from '../log.ts';
import { oldestEvent } from '../store/audit.ts';
import { archiveOf } from './archive.ts';
import { keepWindow } from './window.ts';

/** A run that is cut short, or that the database or the archive failed, is followed by another after this, ms. */
const LEFT_OVER_MS = 60_000;

/** Key of the moment before which no look is taken, epoch ms: stored, since the object may be gone by then. */
const NOT_BEFORE = 'notBefore';

/** How soon it looks when it is asked, ms: those who ask at once have one look. */
const SOON_MS = 1_000;

/** Shortest time between two looks for events that have become too old, ms: they grow old one by one, and leave together. */
const LOOK_MS = 3_600_000;

/**
 * Keeps the audit log's window: one object, by its alarm. It comes when somebody found too many events, and when the oldest one becomes too old; a plane where nothing happens wakes it for that, and
 * once there are no events, never.
 */
export class AuditKeeper extends DurableObject<Env> {
  /** Somebody has asked for a look since the run that is under way began. */
  #asked = false;

  /** Has the window be looked after: soon, and while something is broken no sooner than it would be tried again anyway. */
  async look(): Promise<void> {
    this.#asked = true;
    const at = Math.max(Date.now() + SOON_MS, (await this.ctx.storage.get<number>(NOT_BEFORE)) ?? 0);
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }

  override async alarm(): Promise<void> {
    this.#asked = false;
    // First, because a run that is cut short must be followed by another.
    const again = Date.now() + LEFT_OVER_MS;
    await this.ctx.storage.put(NOT_BEFORE, again);
    await this.ctx.storage.setAlarm(again);
    const next = await this.#run();
    if (next === 'failed') return;
    await this.ctx.storage.delete(NOT_BEFORE);
    if (this.#asked) await this.ctx.storage.setAlarm(Date.now());
    else if (next === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }

  /** When the next run must be, epoch ms; null: there are no events. */
  async #run(): Promise<number | null | 'failed'> {
    const now = Date.now();
    try {
      const { window } = (await readConfig(this.env)).audit;
      const more = await keepWindow(this.env.DB, {
        archive: archiveOf(this.env),
        window,
        now: Math.floor(now / 1000),
      });
      // By an alarm, because a new invocation has new limits.
      if (more) return now;
      const oldest = await oldestEvent(this.env.DB);
      return oldest === null ? null : Math.max(oldest + window.days * 86_400_000, now + LOOK_MS);
    } catch (error) {
      log('error', 'audit events past the window could not be moved', { error: describeError(error) });
      return 'failed';
    }
  }
}
