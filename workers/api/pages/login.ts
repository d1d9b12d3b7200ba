import * as z from 'zod';
import { NewPassword } from '#schema/api/users.ts';
import { OutriderError } from '#schema/errors.ts';
import { listProviders } from '../../store/providers/providers.ts';
import { checkPassword } from '../auth.ts';
import type { Deps } from '../handler.ts';
import { startSession } from '../sign-in/session.ts';
import { joined, markup, page, PageRefusal, seeOther, type Html } from './html.ts';
import { formOf, localPath, queryOf, visitor } from './request.ts';

const Query = z.object({ returnTo: z.string().max(4096).default('') });
const Form = z.object({
  username: z.string().trim().min(1).max(256),
  password: z.string().min(1).max(256),
  newPassword: z.string().max(256).optional(),
  returnTo: z.string().max(4096).default(''),
});

interface Shown {
  readonly returnTo: string | null;
  readonly username?: string;
  /** The person has to choose a password of their own. */
  readonly change?: boolean;
  readonly wrong?: string;
  readonly status?: number;
  /** Links to other ways in. */
  readonly elsewhere?: Html;
}

const NEW_PASSWORD = markup`<label>New password
        <input name="newPassword" type="password" autocomplete="new-password" minlength="12" required></label>`;

/** What was typed as a password is never sent back: it is typed again. */
async function form({
  returnTo,
  username = '',
  change = false,
  wrong,
  status = 200,
  elsewhere,
}: Shown): Promise<Response> {
  const body = markup`
    ${wrong === undefined ? null : markup`<p class="wrong" role="alert">${wrong}</p>`}
    <form method="post" action="/login">
      <input type="hidden" name="returnTo" value="${returnTo}">
      <label>Name
        <input name="username" value="${username}" autocomplete="username" autocapitalize="none" required autofocus></label>
      <label>Password
        <input name="password" type="password" autocomplete="current-password" required></label>
      ${change ? NEW_PASSWORD : null}
      <button>Sign in</button>
    </form>
    ${elsewhere ?? null}`;
  return await page('Sign in', body, { status });
}

/** Where else one can sign in. */
async function linksElsewhere({ db }: Deps, returnTo: string | null): Promise<Html> {
  const query = returnTo === null ? '' : `?returnTo=${encodeURIComponent(returnTo)}`;
  const links = (await listProviders(db))
    .filter(({ enabled }) => enabled)
    .map(
      ({ id, displayName }) =>
        markup`<p><a href="/v1/auth/providers/${id}/start${query}">Sign in with ${displayName}</a></p>`,
    );
  return joined(links);
}

/** `GET /login?returnTo=<path>`: the form, or straight back for who is signed in. */
export async function showLogin(request: Request, deps: Deps): Promise<Response> {
  const returnTo = localPath(queryOf(Query, request).returnTo, deps.config.publicUrl);
  const caller = await visitor(request, deps);
  if (caller === null) return await form({ returnTo, elsewhere: await linksElsewhere(deps, returnTo) });
  if (returnTo !== null) return seeOther(returnTo);
  return await page('Signed in', markup`<p>You are signed in as <b>${caller.facts.username}</b>.</p>`);
}

/** `POST /login`: begins a session. The form's Origin keeps another site from signing its visitors in as somebody else. */
export async function signInByForm(request: Request, deps: Deps): Promise<Response> {
  const sent = await formOf(Form, request, deps);
  const returnTo = localPath(sent.returnTo, deps.config.publicUrl);
  const { username, password } = sent;
  const newPassword = sent.newPassword === '' ? undefined : sent.newPassword;
  const again = { returnTo, username, change: newPassword !== undefined };
  if (newPassword !== undefined && !NewPassword.safeParse(newPassword).success) {
    const wrong = 'The new password must have 12 to 256 characters.';
    throw new PageRefusal('invalid', await form({ ...again, wrong, status: 422 }));
  }
  try {
    const { user, issuedAt } = await checkPassword(deps, { username, password, newPassword });
    const { setCookie } = await startSession(deps, user.id, { issuedAt });
    deps.answer.append('set-cookie', setCookie);
  } catch (error) {
    const shown = error instanceof OutriderError ? SHOWN[error.code] : undefined;
    if (!(error instanceof OutriderError) || shown === undefined) throw error;
    const change = again.change || error.code === 'password_change_required';
    const wrong = shown.say ?? error.message;
    throw new PageRefusal(error.code, await form({ ...again, change, wrong, status: shown.status }));
  }
  return seeOther(returnTo ?? '/login');
}

/** What the form itself answers; anything else is a page of its own. */
const SHOWN: Partial<Record<OutriderError['code'], { status: number; say?: string }>> = {
  invalid_credentials: { status: 401, say: 'The name or the password is wrong.' },
  password_change_required: {
    status: 403,
    say: 'This password was made for one use. Type it again, and choose your own.',
  },
  invalid: { status: 422 },
  conflict: { status: 409 },
};
