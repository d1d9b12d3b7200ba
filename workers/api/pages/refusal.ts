import { errorRow, OutriderError } from '#schema/errors.ts';
import { leading } from './elsewhere.ts';
import { alert, markup, page, PageRefusal, RefusedOnTheWay, type Html } from './html.ts';

/** What a person can do about a refusal, where its own words do not say it. */
const ADVICE: Partial<Record<OutriderError['code'], string>> = {
  sign_in_failed:
    'Nothing was changed. Begin again from the sign-in page: what comes back from there is good once, and for ten minutes.',
  sign_in_refused: 'Only an administrator of this plane can change that; or sign in another way.',
  provider_unavailable:
    'Nothing is wrong with your account. Try again in some minutes, or sign in another way; if it goes on, tell an administrator.',
  not_found: 'The address may be mistyped, or what was there is gone.',
  cross_origin: 'Open the page anew, and send its form from there.',
  bad_request: 'The address or the form is incomplete. Begin again where you came from.',
  internal: 'This is a fault of the plane. Try again; if it goes on, tell an administrator.',
};

/** A refusal’s words as a sentence. */
const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** What happened, and what to do about it. */
export function toldOf({ code, message }: OutriderError): string {
  const advice = ADVICE[code];
  return advice === undefined ? sentence(message) : `${sentence(message)} ${advice}`;
}

/** By what an administrator finds a request in the log. */
export const requestNote = (requestId: string): Html => markup`<p><small>Request <code>${requestId}</code></small></p>`;

/** A refusal, or a fault, as a page: what happened, what to do, and a way out. */
export async function refusalPage(error: unknown, requestId: string): Promise<Response> {
  if (error instanceof PageRefusal) return error.page;
  const refusal = error instanceof OutriderError ? error : new OutriderError('internal', 'something failed');
  const { code, retryAfter } = refusal;
  const { status, title } = errorRow(code);
  const body = markup`
    ${alert(toldOf(refusal))}
    <nav><a href="${leading('/login', refusal instanceof RefusedOnTheWay ? refusal.returnTo : null)}">Back to the sign-in page</a></nav>
    ${requestNote(requestId)}`;
  const answer = await page(title, body, { status });
  if (retryAfter !== undefined) answer.headers.set('retry-after', String(retryAfter));
  return answer;
}
