import * as z from 'zod';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import { refusalOf } from '../plane/failures.ts';
import { type Answer, send, type Target } from '../plane/http.ts';
import { MAX_TOKEN } from '../state/servers.ts';

/** The CLI is a public client (RFC 8252 §8.5): its name is no secret. */
export const CLIENT_ID = 'outrider-cli';

/** RFC 6749 §5.1, as far as it is used. */
const TokenAnswer = z.object({
  access_token: z
    .string()
    .max(MAX_TOKEN)
    .regex(/^[\w.~+/-]+=*$/),
  token_type: z.string().regex(/^bearer$/i),
});

/** RFC 6749 §5.2. */
const ErrorAnswer = z.object({ error: z.string().max(100), error_description: z.string().max(1000).optional() });

/** A refusal of an OAuth endpoint. */
interface OAuthError {
  readonly error: string;
  /** As it may be shown. */
  readonly shown: string;
}

/** Posts a form (RFC 6749 appendix B). Nothing is signed in by it: what authorizes is in the fields. */
export async function postForm(
  io: Io,
  place: Omit<Target, 'token'>,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<Answer> {
  return await send(
    io,
    { origin: place.origin, ca: place.ca, token: undefined },
    {
      method: 'POST',
      path,
      body: { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(fields).toString() },
    },
  );
}

/** What a token endpoint answered: a token, or why there is none. @throws {Failure} for anything else */
export function readTokenAnswer(origin: string, answer: Answer): { token: string } | OAuthError {
  if (answer.status !== 200) {
    const refused = parse(ErrorAnswer, answer.body);
    if (refused === null) throw withoutFlow(origin, answer);
    const { error, error_description: description } = refused;
    return { error, shown: oneLine(description === undefined ? error : `${description} (${error})`) };
  }
  const granted = parse(TokenAnswer, answer.body);
  if (granted === null) throw new Failure('error', `${origin} answered with no token that can be used`);
  return { token: granted.access_token };
}

/** Why a flow cannot begin: a plane that has no such endpoint has other ways in. */
export function withoutFlow(origin: string, answer: Answer): Failure {
  if (answer.status !== 404) return refusalOf(origin, answer);
  return new Failure('not-found', `${origin} has no such sign-in: use --username for a local account, or --with-token`);
}

/** A body of JSON by its schema, or null. */
export function parse<T>(schema: z.ZodType<T>, body: string): T | null {
  try {
    return schema.parse(JSON.parse(body));
  } catch {
    return null;
  }
}
