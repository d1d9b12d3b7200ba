import { type Heard, type Sent, type WatchEvent, WRITES } from '../workload/journal.ts';

/** What the cluster itself knows, whatever clients were told. */
export interface Witness {
  /** Statuses with which the API server has ended each request, by the request's id: its audit log. */
  readonly executed: ReadonlyMap<string, readonly number[]>;
  /** What each write has left in the cluster, by its id: how many objects or entries. */
  readonly effects: ReadonlyMap<string, number>;
  /** What a watch straight to the API server has heard. */
  readonly events: readonly WatchEvent[];
}

/** Refusals that promise that nothing was executed (`schema/errors.ts`). */
const NOT_EXECUTED = new Set([429, 503]);

/** What a break may be told as: 502. Anything else that is no success would be about a request that was in order. */
const BROKEN = 502;

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** Every promise that was broken, one sentence each. @param contentOf what is wrong with the content of a GET that was answered 200 to the end; null: nothing */
export function violations(
  sent: readonly Sent[],
  witness: Witness,
  contentOf: (sent: Sent) => string | null,
): string[] {
  const found: string[] = [];
  const ids = new Set(sent.map(({ id }) => id));
  for (const one of sent)
    found.push(...ofRequest(one, witness, contentOf).map((text) => `${one.kind} ${one.id}: ${text}`));
  for (const id of [...witness.effects.keys()]) if (!ids.has(id)) found.push(`${id}: took effect and was never sent`);
  return found;
}

function ofRequest(one: Sent, witness: Witness, contentOf: (sent: Sent) => string | null): string[] {
  const { kind, told, id } = one;
  const executed = witness.executed.get(id) ?? [];
  const found: string[] = [];
  if (told.how === 'hung') found.push(`no answer and no end after ${Math.round(one.tookMs)} ms`);
  const status = told.how === 'answered' || told.how === 'cut' ? told.status : null;
  if (status !== null && !isSuccess(status) && status !== BROKEN && !NOT_EXECUTED.has(status)) {
    found.push(
      `answered ${status}, which no fault explains: ${told.how === 'answered' ? told.text.slice(0, 300) : ''}`,
    );
  }
  if (WRITES.has(kind))
    found.push(...ofWrite(executed, witness.effects.get(id) ?? 0, told.how === 'answered' && told.retryAfter, status));
  else if (told.how === 'answered' && status === 200) {
    const wrong = contentOf(one);
    if (wrong !== null) found.push(`accepted as complete, but ${wrong}`);
  }
  if (status !== null && isSuccess(status) && !executed.some(isSuccess))
    found.push(`answered ${status}, and never executed`);
  return found;
}

function ofWrite(executed: readonly number[], effects: number, retryAfter: boolean, status: number | null): string[] {
  const found: string[] = [];
  if (executed.length > 1) found.push(`reached the API server ${executed.length} times (${executed.join(', ')})`);
  if (effects > 1) found.push(`took effect ${effects} times`);
  const done = executed.filter(isSuccess).length;
  // The other way round it may be: one that was cancelled while it was stored is logged as a failure.
  if (done > effects || (effects > 0 && executed.length === 0)) {
    found.push(`the audit log has it ${done} times, the cluster ${effects} times`);
  }
  if (status !== null && isSuccess(status) && effects !== 1)
    found.push(`answered ${status}, and took effect ${effects} times`);
  if (status !== null && (NOT_EXECUTED.has(status) || retryAfter) && effects > 0) {
    found.push(
      `answered ${status}${retryAfter ? ' with Retry-After' : ''}, which says that nothing was executed, and took effect`,
    );
  }
  return found;
}

const keyOf = ({ type, name, resourceVersion }: WatchEvent): string => `${type} ${name} ${resourceVersion}`;

/** Events that a client did not hear of, or heard twice, although nobody told it to list anew. */
export function watchViolations(heard: Heard, reference: readonly WatchEvent[]): string[] {
  const found: string[] = [];
  if (!heard.complete) found.push('never heard of the last change');
  const keys = heard.events.map(keyOf);
  const known = new Set(keys);
  if (known.size < keys.length) found.push(`heard ${keys.length - known.size} events twice`);
  const expected = reference.filter(({ resourceVersion }) => BigInt(resourceVersion) > BigInt(heard.since)).map(keyOf);
  const lost = expected.filter((key) => !known.has(key));
  if (lost.length > 0) found.push(`lost ${lost.length} of ${expected.length} events, first: ${lost[0]}`);
  const all = new Set(expected);
  const strange = keys.filter((key) => !all.has(key));
  if (strange.length > 0)
    found.push(`heard ${strange.length} events that a direct watch did not, first: ${strange[0]}`);
  return found.map((text) => `watch ${heard.name}: ${text}`);
}
