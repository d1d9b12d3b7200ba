import { showLogin, signInByForm } from '#schema/api/account/pages.ts';
import { NewPassword } from '#schema/api/people/users.ts';
import { errorRow, OutriderError } from '#schema/errors.ts';
import { signsInByPassword } from '../../authn/providers/types.ts';
import type { Provider } from '../../store/providers/providers.ts';
import { checkPassword } from '../account/auth.ts';
import { PasswordChangeRequired } from '../account/password.ts';
import type { Deps } from '../handler.ts';
import { enabledProvider } from '../providers/flow.ts';
import { checkAtProvider } from '../providers/password.ts';
import { startSession } from '../sign-in/session.ts';
import { linkHome, linksElsewhere, leading } from './elsewhere.ts';
import { alert, describedBy, markup, named, page, PageRefusal, seeOther, type Html } from './html.ts';
import { requestNote, toldOf } from './refusal.ts';
import { formOf, localPath, queryOf, visitor } from './request.ts';
import { signedInPage } from './signed-in.ts';

interface Shown {
  readonly returnTo: string | null;
  readonly username?: string;
  /** The person has to choose a password of their own. */
  readonly change?: boolean;
  readonly wrong?: string;
  readonly status?: number;
  /** Whose name and password are asked for; none: the plane's own. */
  readonly provider?: Pick<Provider, 'id' | 'displayName'> | null;
  /** Links to other ways in, or what else is below the form. */
  readonly below?: Html | null;
}

/** Where typing goes on: behind a name that is there already. */
const focus = (here: boolean): Html | null => (here ? markup` autofocus` : null);

/** What was typed as a password is never sent back: it is typed again. */
async function form({
  returnTo,
  username = '',
  change = false,
  wrong,
  status = 200,
  below = null,
  provider: at = null,
}: Shown): Promise<Response> {
  const invalid = describedBy(wrong);
  const newPassword = markup`<label>New password, of 12 characters or more
        <input name="newPassword" type="password" autocomplete="new-password" minlength="12"${invalid} required></label>`;
  const body = markup`
    ${wrong === undefined ? null : alert(wrong)}
    <form method="post" action="/login">
      <input type="hidden" name="returnTo" value="${returnTo}">
      <input type="hidden" name="provider" value="${at?.id ?? ''}">
      <label>Name
        <input name="username" value="${username}" dir="auto" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"${invalid} required${focus(username === '')}></label>
      <label>Password
        <input name="password" type="password" autocomplete="current-password"${invalid} required${focus(username !== '')}></label>
      ${change ? newPassword : null}
      <button class="main">Sign in</button>
    </form>
    ${below}`;
  if (at === null) return await page(change ? 'Choose a password' : 'Sign in', body, { status });
  const heading = markup`Sign in with ${named(at.displayName)}`;
  return await page(`Sign in with ${at.displayName}`, body, { status, heading });
}

/** `GET /login?returnTo=<path>`: the form, or straight back for who is signed in. */
export async function askLogin(request: Request, deps: Deps): Promise<Response> {
  const query = queryOf(showLogin.query, request);
  const returnTo = localPath(query.returnTo, deps.config.publicUrl);
  const caller = await visitor(request, deps);
  if (caller === null) {
    const at = query.provider === '' ? null : await enabledProvider(deps, query.provider);
    if (at !== null && !signsInByPassword(at.settings.type)) {
      return seeOther(leading(`/v1/auth/providers/${at.id}/start`, returnTo));
    }
    return await form({ returnTo, provider: at, below: await waysElsewhere(deps, at, returnTo) });
  }
  return returnTo === null ? await signedInPage(deps, caller) : seeOther(returnTo);
}

const waysElsewhere = async (deps: Deps, at: Provider | null, returnTo: string | null): Promise<Html | null> =>
  at === null ? await linksElsewhere(deps, returnTo) : linkHome(returnTo);

/** `POST /login`: begins a session. The form's Origin keeps another site from signing its visitors in as somebody else. */
export async function answerLogin(request: Request, deps: Deps): Promise<Response> {
  const sent = await formOf(signInByForm.body, request, deps);
  const returnTo = localPath(sent.returnTo, deps.config.publicUrl);
  const { username, password } = sent;
  const at = sent.provider === '' ? null : await enabledProvider(deps, sent.provider);
  const newPassword = sent.newPassword === '' || at !== null ? undefined : sent.newPassword;
  const change = newPassword !== undefined;
  const again = async (more: Pick<Shown, 'wrong' | 'status' | 'change'>): Promise<Response> => {
    const choosing = more.change ?? change;
    const links = choosing ? null : await waysElsewhere(deps, at, returnTo);
    const below = more.status === 503 ? markup`${links}${requestNote(deps.requestId)}` : links;
    return await form({ returnTo, username, provider: at, below, ...more, change: choosing });
  };
  if (newPassword !== undefined && !NewPassword.safeParse(newPassword).success) {
    const wrong = 'The new password must have 12 to 256 characters.';
    throw new PageRefusal('invalid', await again({ wrong, status: 422 }));
  }
  try {
    deps.answer.append('set-cookie', await begin(deps, at, { username, password, newPassword }));
  } catch (error) {
    const say = error instanceof OutriderError ? ON_FORM.get(error.code) : undefined;
    if (!(error instanceof OutriderError) || say === undefined) throw error;
    const { code } = error;
    const wrong = error instanceof PasswordChangeRequired ? CHANGE[error.reason] : (say ?? toldOf(onForm(error)));
    const asked = { wrong, status: errorRow(code).status, change: change || code === 'password_change_required' };
    throw new PageRefusal(code, await again(asked));
  }
  return seeOther(returnTo ?? '/login');
}

/** Has whoever knows the password judge it. @returns the session's Set-Cookie */
async function begin(
  deps: Deps,
  at: Provider | null,
  typed: { username: string; password: string; newPassword: string | undefined },
): Promise<string> {
  if (at === null) {
    const { user, issuedAt } = await checkPassword(deps, typed);
    return (await startSession(deps, user.id, { issuedAt })).setCookie;
  }
  const { userId, issueAt } = await checkAtProvider(deps, at.id, typed);
  return (await startSession(deps, userId, { description: `sign-in with ${at.id}`, issuedAt: issueAt })).setCookie;
}

/** One text for whoever may not come in by these words: which of its reasons it is, is not said to somebody who is only guessing. */
const WRONG =
  'The name or the password is wrong. If you are sure of both, the account may be locked or disabled: ask an administrator.';

/** What the form itself answers, and in which words where not in the refusal's own; anything else is a page of its own. */
const ON_FORM = new Map<OutriderError['code'], string | null>([
  ['invalid_credentials', WRONG],
  ['password_change_required', null],
  ['invalid', null],
  ['sign_in_refused', null],
  ['provider_unavailable', null],
  ['conflict', null],
]);

/** In the form's words: what the API calls a field is not what the person sees. */
const onForm = ({ code, message }: OutriderError): OutriderError =>
  new OutriderError(code, message.replace(/^newPassword: /, 'the new password '));

const CHANGE: Record<PasswordChangeRequired['reason'], string> = {
  'one-time': 'This password was made for one use. Type it again, and choose your own.',
  'too-old': 'This password is older than this plane allows. Type it again, and choose another.',
};
