import * as z from 'zod';
import { CLI_CLIENT_ID, MAX_REDIRECT_URI } from '#schema/api/account/oauth.ts';
import { OutriderError } from '#schema/errors.ts';
import { csrfToken, isCsrfToken } from '../../authn/browser/csrf.ts';
import type { Deps } from '../handler.ts';
import { grantCode } from '../sign-in/code.ts';
import { loopbackAddress } from '../sign-in/codes.ts';
import { joined, markup, page, seeOther } from './html.ts';
import { Csrf, formOf, queryOf, signInFor, visitor } from './request.ts';

/** Where a program sends its person (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export const CONSENT_PATH = '/v1/auth/cli/authorize';

/** `state` is the program's own; it is asked for, since without it the program could not tell an answer to its question from another's. */
const Asked = z.object({
  response_type: z.literal('code'),
  client_id: z.literal(CLI_CLIENT_ID),
  redirect_uri: z
    .string()
    .max(MAX_REDIRECT_URI)
    .transform((text, context) => {
      const url = loopbackAddress(text);
      if (url !== null) return url;
      context.addIssue({ code: 'custom', message: 'http://127.0.0.1:<port>/… is expected' });
      return z.NEVER;
    }),
  state: z.string().regex(/^[\x21-\x7E]{1,256}$/),
  code_challenge: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  code_challenge_method: z.literal('S256'),
});
type Asked = z.infer<typeof Asked>;

const Form = Asked.extend({ csrf: Csrf, decision: z.enum(['approve', 'deny']) });

/** A consent is for one challenge and one place: the form cannot be given another. */
const purpose = ({ redirect_uri: uri, code_challenge: challenge }: Asked): string => `code ${challenge} ${uri.href}`;

/**
 * `GET /v1/auth/cli/authorize`: asks the person. What is wrong with the question is told here and nowhere else: an address that was not checked is led to by nothing
 * (RFC 6749 §4.1.2.1).
 */
export async function showConsent(request: Request, deps: Deps): Promise<Response> {
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
      A program on this machine, <b>${CLI_CLIENT_ID}</b>, asks to act as <b>${caller.facts.username}</b>, with all that
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
export async function consentByForm(request: Request, deps: Deps): Promise<Response> {
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
