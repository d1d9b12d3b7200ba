import { base64url } from 'jose';
import type { listAuditEvents } from '#schema/api/plane/audit.ts';
import { AuditEvent } from '#schema/audit/event.ts';
import { OutriderError } from '#schema/errors.ts';
import { log } from '../../log.ts';
import { AuditPlace, findEvents, type StoredEvent } from '../../store/audit.ts';
import type { Handler } from '../handler.ts';

export const handleListAuditEvents: Handler<typeof listAuditEvents> = async ({ query }, { db }) => {
  const from = query.from === undefined ? null : Date.parse(query.from);
  const to = query.to === undefined ? null : Date.parse(query.to);
  if (from !== null && to !== null && from > to) throw new OutriderError('invalid', 'from: later than to');
  const found = await findEvents(
    db,
    {
      actor: query.actor ?? null,
      cluster: query.cluster ?? null,
      verb: query.verb ?? null,
      resource: query.resource ?? null,
      name: query.name ?? null,
      from,
      to,
      after: query.continue === undefined ? null : placeOf(query.continue),
    },
    // One more tells whether there is another page.
    query.limit + 1,
  );
  const page = found.slice(0, query.limit);
  const last = found.length > page.length ? page.at(-1) : undefined;
  return {
    items: page.flatMap(eventOf),
    continue: last === undefined ? null : base64url.encode(JSON.stringify(last.place)),
  };
};

/** What another deploy wrote and this one cannot read is no reason to show none of the others. */
function eventOf({ place, text }: StoredEvent): AuditEvent[] {
  const parsed = AuditEvent.safeParse(jsonOf(text));
  if (parsed.success) return [parsed.data];
  log('error', 'a stored audit event is not valid', { requestId: place[1], issues: parsed.error.issues.length });
  return [];
}

/** Null: it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @throws OutriderError invalid */
function placeOf(token: string): AuditPlace {
  try {
    return AuditPlace.parse(JSON.parse(new TextDecoder().decode(base64url.decode(token))));
  } catch {
    throw new OutriderError('invalid', 'continue: not a token of this list');
  }
}
