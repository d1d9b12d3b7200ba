import { DurableObject } from 'cloudflare:workers';
import type { DirectoryVia } from '#schema/directory/direct.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { announcedCommit } from '../../../access/commit.ts';
import type { AccessDispatcher } from '../../../access/dispatcher.ts';
import { lookAfterAudit } from '../../../audit/look.ts';
import { readConfig } from '../../../env.ts';
import { describeError, log } from '../../../log.ts';
import { refreshMemberships } from './refresh.ts';

/** A run that is cut short, or that the database failed, is followed by another after this, ms. */
const LEFT_OVER_MS = 60_000;

/**
 * Has people's groups be refreshed when they are due, by an alarm of its own: the dispatcher's must not wait for providers that are slow. While nobody signs in
 * through a provider it sleeps, and costs nothing.
 */
export abstract class PeopleRefresher extends DurableObject<Env> {
  /** Epoch ms: the earliest that was armed since the run that is under way began. */
  #soonest = Infinity;

  /** Somebody will be due at `at` (epoch seconds): there will be a run then, or before. */
  async arm(at: number): Promise<void> {
    this.#soonest = Math.min(this.#soonest, at * 1000);
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at * 1000) await this.ctx.storage.setAlarm(at * 1000);
  }

  override async alarm(): Promise<void> {
    this.#soonest = Infinity;
    // First, because a run that is cut short must be followed by another.
    await this.ctx.storage.setAlarm(Date.now() + LEFT_OVER_MS);
    // Who armed it during the run may have come too late to be seen by it.
    const next = Math.min((await this.#run()) ?? Infinity, this.#soonest);
    if (next === Infinity) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }

  /** When the next run must be, epoch ms; null: never. */
  async #run(): Promise<number | null> {
    const now = Date.now();
    try {
      const deps = {
        db: this.env.DB,
        config: await readConfig(this.env),
        askDirectory: async (via: DirectoryVia, question: DirectoryQuestion) => await this.ask(via, question),
        auditUpkeep: () => this.ctx.waitUntil(lookAfterAudit(this.env)),
        commit: announcedCommit({
          db: this.env.DB,
          dispatcher: () => this.#dispatcher(),
          waitUntil: (work) => this.ctx.waitUntil(work),
        }),
      };
      const next = await refreshMemberships(deps, Math.floor(now / 1000));
      return next === null ? null : Math.max(next * 1000, now + 1000);
    } catch (error) {
      log('error', 'refreshing groups failed', { error: describeError(error) });
      return now + LEFT_OVER_MS;
    }
  }

  /** Has a directory asked: where clusters' objects are, this does not know. */
  protected abstract ask(via: DirectoryVia, question: DirectoryQuestion): Promise<DirectoryAnswer>;

  #dispatcher(): Pick<AccessDispatcher, 'arm' | 'kick'> {
    return this.env.DISPATCHER.get(this.env.DISPATCHER.idFromName('main'));
  }
}
