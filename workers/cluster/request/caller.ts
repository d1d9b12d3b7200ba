import { base64url } from 'jose';
import { AgentPrincipal, Principal } from '#schema/access.ts';

/** Callers that an isolate remembers in writing, each well under 1 KiB; oldest out. */
const MAX_READ = 4096;

/** A caller is the same for ten seconds of requests (`bearer.ts`), and writing one costs more than looking it up. */
const written = new WeakMap<Principal, string>();
const read = new Map<string, Principal>();

/** A caller as `word.ts` carries them to the object: base64url of JSON. */
export function writeCaller(principal: Principal): string {
  let text = written.get(principal);
  if (text === undefined) {
    text = write(principal);
    written.set(principal, text);
  }
  return text;
}

/** @throws Error for anything but what {@link writeCaller} gave */
export function readCaller(text: string): Principal {
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
export function readAgent(text: string): AgentPrincipal {
  return parse(AgentPrincipal, text);
}

const write = (value: object): string => base64url.encode(JSON.stringify(value));

function parse<T>(schema: { parse(value: unknown): T }, text: string): T {
  return schema.parse(JSON.parse(new TextDecoder().decode(base64url.decode(text))));
}
