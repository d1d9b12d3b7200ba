import { errorRow, OutriderError } from '#schema/errors.ts';
import type { Deps } from '../handler.ts';
import { CONSENT_PATH, consentByForm, showConsent } from './consent.ts';
import { decideByForm, showDevice } from './device.ts';
import { markup, page, PageRefusal } from './html.ts';
import { showLogin, signInByForm } from './login.ts';

/** A page that a person sees, or the form that it sends. */
export interface Page {
  readonly method: 'GET' | 'POST';
  readonly path: `/${string}`;
  readonly answer: (request: Request, deps: Deps) => Promise<Response>;
}

/** The pages by which people sign in, and sign their devices in: HTML without scripts. */
export const PAGES: readonly Page[] = [
  { method: 'GET', path: '/login', answer: showLogin },
  { method: 'POST', path: '/login', answer: signInByForm },
  { method: 'GET', path: '/device', answer: showDevice },
  { method: 'POST', path: '/device', answer: decideByForm },
  { method: 'GET', path: CONSENT_PATH, answer: showConsent },
  { method: 'POST', path: CONSENT_PATH, answer: consentByForm },
];

/** A page; a refusal as a page too. Anything else that is thrown is for the caller. */
export async function asPage(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof PageRefusal) return error.page;
    if (!(error instanceof OutriderError)) throw error;
    const { status, title } = errorRow(error.code);
    const refusal = await page(title, markup`<p class="wrong" role="alert">${error.message}</p>`, { status });
    if (error.retryAfter !== undefined) refusal.headers.set('retry-after', String(error.retryAfter));
    return refusal;
  }
}
