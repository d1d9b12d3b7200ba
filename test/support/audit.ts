import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { waitUntil } from '#scripts/demo/processes.ts';

/** A line of the API server's audit log (audit.k8s.io/v1 Event, level Metadata). */
const auditEvent = z.looseObject({
  stage: z.enum(['ResponseStarted', 'ResponseComplete', 'Panic']),
  requestURI: z.string(),
  verb: z.string(),
  user: z.looseObject({ username: z.string().optional() }),
  impersonatedUser: z.looseObject({ username: z.string(), groups: z.array(z.string()).optional() }).optional(),
  responseStatus: z.looseObject({ code: z.int().optional() }).optional(),
  stageTimestamp: z.iso.datetime({ precision: 6 }),
});
export type AuditEvent = z.infer<typeof auditEvent>;

/** The API server's own witness of what reached it, and when it was over. */
export class AuditLog {
  readonly #file: string;

  constructor(file: string | undefined) {
    if (file === undefined) throw new Error('the cluster was started without an audit log');
    this.#file = file;
  }

  /** All requests so far whose URI has `part`, at one stage. */
  async events(part: string, stage: AuditEvent['stage'] = 'ResponseComplete'): Promise<AuditEvent[]> {
    const lines = (await readFile(this.#file, 'utf8')).split('\n').slice(0, -1);
    return lines
      .filter((line) => line.includes(part))
      .map((line) => auditEvent.parse(JSON.parse(line)))
      .filter((event) => event.stage === stage && event.requestURI.includes(part));
  }

  /**
   * Resolves with the moment (epoch milliseconds) at which the one request whose URI has `part` began to be answered, or was over.
   *
   * @throws if that takes too long
   */
  async reached(stage: AuditEvent['stage'], part: string, withinMs: number): Promise<number> {
    let found: AuditEvent[] = [];
    const probe = async (): Promise<boolean> => (found = await this.events(part, stage)).length > 0;
    await waitUntil(`${stage} of a request with ${part} in the audit log`, probe, { withinMs });
    return Date.parse(found[0]!.stageTimestamp);
  }
}
