import * as z from 'zod';
import { CLI_CLIENT_ID } from '#schema/api/account/oauth.ts';
import { consentByForm, showConsent } from '#schema/api/account/pages.ts';
import { OutriderError } from '#schema/errors.ts';
import { csrfToken, isCsrfToken } from '../../authn/browser/csrf.ts';
import type { Deps } from '../handler.ts';
import { grantCode } from '../sign-in/code.ts';
import { loopbackAddress } from '../sign-in/codes.ts';
import { joined, markup, named, page, seeOther } from './html.ts';
import { formOf, queryOf, signInFor, visitor } from './request.ts';

/** Where a program sends its person (RFC 6749 §4.1.1, RFC 7636 §4.3). */
const { path: CONSENT_PATH } = showConsent;

/** Read more closely than the declaration says. */
const place = {
  redirect_uri: showConsent.query.shape.redirect_uri.transform((text, context) => {
    const url = loopbackAddress(text);
    if (url !== null) return url;
    context.addIssue({ code: 'custom', message: 'http://127.0.0.1:<port>/… is expected' });
    return z.NEVER;
  }),
};
const Asked = showConsent.query.extend(place);
type Asked = z.infer<typeof Asked>;
const Form = consentByForm.body.extend(place);

/** A consent is for one challenge and one place: the form cannot be given another. */
const purpose = ({ redirect_uri: uri, code_challenge: challenge }: Asked): string => `code ${challenge} ${uri.href}`;

/**
 * `GET /v1/auth/cli/authorize`: asks the person. What is wrong with the question is told here and nowhere else: an address that was not checked is led to by nothing
 * (RFC 6749 §4.1.2.1).
 */
export async function askConsent(request: Request, deps: Deps): Promise<Response> {
  const asked = queryOf(Asked, request);
  const caller = await visitor(request, deps);
  if (caller === null) return seeOther(signInFor(CONSENT_PATH + new URL(request.url).search));
  const { redirect_uri: uri } = asked;
  const fields = {
    ...asked,
    redirect_uri: uri.href,
    csrf: await csrfToken(deps.config, caller.principal, purpose(asked)),
  };
  const hidden = Object.entries(fields).map(
    ([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`,
  );
  const body = markup`
    <p>
      A program on this machine, <b>${CLI_CLIENT_ID}</b>, asks to act as <b>${named(caller.facts.username)}</b>, with all that
      you may do.
    </p>
    <dl>
      <dt>Listens at</dt>
      <dd>${uri.origin}</dd>
    </dl>
    <p>Approve only if you have just begun to sign in there yourself.</p>
    <form method="post" action="${CONSENT_PATH}">
      ${joined(hidden)}
      <button name="decision" value="approve">Approve</button>
      <button name="decision" value="deny">Deny</button>
    </form>`;
  return await page('Sign a program in', body, { formTarget: uri.origin });
}

/** `POST /v1/auth/cli/authorize`: leads back to the program, with a code or with the refusal. */
export async function answerConsent(request: Request, deps: Deps): Promise<Response> {
  const sent = await formOf(Form, request, deps);
  const caller = await visitor(request, deps);
  if (caller === null) throw new OutriderError('unauthenticated', 'you are not signed in any more; begin again');
  if (!(await isCsrfToken(deps.config, caller.principal, purpose(sent), sent.csrf))) {
    throw new OutriderError('forbidden', 'the form is not from this session; begin again');
  }
  const { redirect_uri: uri, code_challenge: codeChallenge, state } = sent;
  const answer =
    sent.decision === 'approve'
      ? { code: await grantCode(deps, caller, { redirectUri: uri.href, codeChallenge }) }
      : { error: 'access_denied' };
  const back = new URL(uri);
  // `iss`: RFC 9207, so that a program that knows several planes cannot be told a code of another.
  for (const [name, value] of Object.entries({ ...answer, state, iss: deps.config.publicUrl })) {
    back.searchParams.set(name, value);
  }
  return seeOther(back.href);
}
