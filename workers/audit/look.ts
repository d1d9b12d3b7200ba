import { describeError, log } from '../log.ts';

/** Has the audit log's keeper look after the window. Never rejects: whoever lands the next event asks again. */
export async function lookAfterAudit({ AUDIT_KEEPER: keepers }: Pick<Env, 'AUDIT_KEEPER'>): Promise<void> {
  try {
    await keepers.get(keepers.idFromName('main')).look();
  } catch (error) {
    log('warn', "the audit log's keeper was not reached", { error: describeError(error) });
  }
}
