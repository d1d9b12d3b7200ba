import { base64url } from 'jose';
import { AgentPrincipal, Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';

/** By this header a Worker tells the object who is calling. The Worker deletes a client's own before it sets it; nothing else can reach an object. */
export const PRINCIPAL_HEADER = 'outrider-principal';

/** Callers that an isolate remembers in writing, each well under 1 KiB; oldest out. */
const MAX_READ = 4096;

/** A caller is the same for ten seconds of requests (`bearer.ts`), and writing one costs more than looking it up. */
const written = new WeakMap<Principal, string>();
const read = new Map<string, Principal>();

/** The value of {@link PRINCIPAL_HEADER}. */
export function writeCaller(principal: Principal): string {
  let text = written.get(principal);
  if (text === undefined) {
    text = write(principal);
    written.set(principal, text);
  }
  return text;
}

/** @throws OutriderError unauthenticated where nobody is named. */
export function readCaller(headers: Headers): Principal {
  const text = textOf(headers);
  let principal = read.get(text);
  if (principal === undefined) {
    principal = Object.freeze(parse(Principal, text));
    const oldest = read.keys().next();
    if (read.size >= MAX_READ && oldest.done !== true) read.delete(oldest.value);
    read.set(text, principal);
  }
  return principal;
}

/** As {@link writeCaller}, for an agent that dials. */
export function writeAgent(agent: AgentPrincipal): string {
  return write(agent);
}

/** As {@link readCaller}, for an agent that dials. */
export function readAgent(headers: Headers): AgentPrincipal {
  return parse(AgentPrincipal, textOf(headers));
}

function textOf(headers: Headers): string {
  const text = headers.get(PRINCIPAL_HEADER);
  if (text === null) throw new OutriderError('unauthenticated', 'the request names no caller');
  return text;
}

const write = (value: object): string => base64url.encode(JSON.stringify(value));

function parse<T>(schema: { parse(value: unknown): T }, text: string): T {
  return schema.parse(JSON.parse(new TextDecoder().decode(base64url.decode(text))));
}
