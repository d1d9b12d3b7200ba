import { base64url } from 'jose';
import type { listAuditEvents } from '#schema/api/plane/audit.ts';
import { OutriderError } from '#schema/errors.ts';
import { AuditPlace, findEvents } from '../../store/audit.ts';
import type { Handler } from '../handler.ts';

export const handleListAuditEvents: Handler<typeof listAuditEvents> = async ({ query }, { db }) => {
  const found = await findEvents(
    db,
    {
      actor: query.actor ?? null,
      cluster: query.cluster ?? null,
      verb: query.verb ?? null,
      resource: query.resource ?? null,
      name: query.name ?? null,
      from: query.from === undefined ? null : Date.parse(query.from),
      to: query.to === undefined ? null : Date.parse(query.to),
      after: query.continue === undefined ? null : placeOf(query.continue),
    },
    // One more tells whether there is another page.
    query.limit + 1,
  );
  const page = found.slice(0, query.limit);
  const last = found.length > page.length ? page.at(-1) : undefined;
  return {
    items: page.map(({ event }) => event),
    continue: last === undefined ? null : base64url.encode(JSON.stringify(last.place)),
  };
};

/** @throws OutriderError invalid */
function placeOf(token: string): AuditPlace {
  try {
    return AuditPlace.parse(JSON.parse(new TextDecoder().decode(base64url.decode(token))));
  } catch {
    throw new OutriderError('invalid', 'continue: not a token of this list');
  }
}
