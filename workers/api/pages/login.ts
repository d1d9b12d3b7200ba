import * as z from 'zod';
import { NewPassword } from '#schema/api/people/users.ts';
import { OutriderError } from '#schema/errors.ts';
import { signsInByPassword } from '../../authn/providers/types.ts';
import { listProviders, type Provider } from '../../store/providers/providers.ts';
import { checkPassword } from '../account/auth.ts';
import { PasswordChangeRequired } from '../account/password.ts';
import type { Deps } from '../handler.ts';
import { enabledProvider } from '../providers/flow.ts';
import { checkAtProvider } from '../providers/password.ts';
import { startSession } from '../sign-in/session.ts';
import { joined, markup, page, PageRefusal, seeOther, type Html } from './html.ts';
import { formOf, localPath, queryOf, visitor } from './request.ts';

const provider = z.string().max(64).default('');
const Query = z.object({ returnTo: z.string().max(4096).default(''), provider });
const Form = z.object({
  username: z.string().trim().min(1).max(256),
  password: z.string().min(1).max(256),
  newPassword: z.string().max(256).optional(),
  returnTo: z.string().max(4096).default(''),
  provider,
});

interface Shown {
  readonly returnTo: string | null;
  readonly username?: string;
  /** The person has to choose a password of their own. */
  readonly change?: boolean;
  readonly wrong?: string;
  readonly status?: number;
  /** Whose name and password are asked for; none: the plane's own. */
  readonly provider?: Pick<Provider, 'id' | 'displayName'> | null;
  /** Links to other ways in. */
  readonly elsewhere?: Html | null;
}

const NEW_PASSWORD = markup`<label>New password, of 12 characters or more
        <input name="newPassword" type="password" autocomplete="new-password" minlength="12" required></label>`;

/** Where typing goes on: behind a name that is there already. */
const focus = (here: boolean): Html | null => (here ? markup` autofocus` : null);

/** What was typed as a password is never sent back: it is typed again. */
async function form({
  returnTo,
  username = '',
  change = false,
  wrong,
  status = 200,
  elsewhere,
  provider: at = null,
}: Shown): Promise<Response> {
  const body = markup`
    ${wrong === undefined ? null : markup`<p class="wrong" role="alert">${wrong}</p>`}
    <form method="post" action="/login">
      <input type="hidden" name="returnTo" value="${returnTo}">
      <input type="hidden" name="provider" value="${at?.id ?? ''}">
      <label>Name
        <input name="username" value="${username}" autocomplete="username" autocapitalize="none" required${focus(username === '')}></label>
      <label>Password
        <input name="password" type="password" autocomplete="current-password" required${focus(username !== '')}></label>
      ${change ? NEW_PASSWORD : null}
      <button>Sign in</button>
    </form>
    ${change ? null : (elsewhere ?? null)}`;
  return await page(at === null ? 'Sign in' : `Sign in with ${at.displayName}`, body, { status });
}

/** An address that leads to a sign-in, and from there back. */
function leading(path: string, returnTo: string | null, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...more, ...(returnTo === null ? {} : { returnTo }) }).toString();
  return query === '' ? path : `${path}?${query}`;
}

/** Where else one can sign in. */
async function linksElsewhere({ db }: Deps, returnTo: string | null): Promise<Html | null> {
  const links = (await listProviders(db))
    .filter(({ enabled }) => enabled)
    .map(
      ({ id, displayName, settings }) =>
        markup`<p><a href="${
          signsInByPassword(settings.type)
            ? leading('/login', returnTo, { provider: id })
            : leading(`/v1/auth/providers/${id}/start`, returnTo)
        }">Sign in with ${displayName}</a></p>`,
    );
  return links.length === 0 ? null : markup`<nav>${joined(links)}</nav>`;
}

/** `GET /login?returnTo=<path>`: the form, or straight back for who is signed in. */
export async function showLogin(request: Request, deps: Deps): Promise<Response> {
  const query = queryOf(Query, request);
  const returnTo = localPath(query.returnTo, deps.config.publicUrl);
  const caller = await visitor(request, deps);
  if (caller === null) {
    const at = query.provider === '' ? null : await enabledProvider(deps, query.provider);
    if (at !== null && !signsInByPassword(at.settings.type)) {
      return seeOther(leading(`/v1/auth/providers/${at.id}/start`, returnTo));
    }
    return await form({ returnTo, provider: at, elsewhere: at === null ? await linksElsewhere(deps, returnTo) : null });
  }
  if (returnTo !== null) return seeOther(returnTo);
  return await page('Signed in', markup`<p>You are signed in as <b>${caller.facts.username}</b>.</p>`);
}

/** `POST /login`: begins a session. The form's Origin keeps another site from signing its visitors in as somebody else. */
export async function signInByForm(request: Request, deps: Deps): Promise<Response> {
  const sent = await formOf(Form, request, deps);
  const returnTo = localPath(sent.returnTo, deps.config.publicUrl);
  const { username, password } = sent;
  const at = sent.provider === '' ? null : await enabledProvider(deps, sent.provider);
  const newPassword = sent.newPassword === '' || at !== null ? undefined : sent.newPassword;
  const change = newPassword !== undefined;
  const again = async (more: Pick<Shown, 'wrong' | 'status'> & { change?: boolean }): Promise<Response> => {
    const elsewhere = at === null ? await linksElsewhere(deps, returnTo) : null;
    return await form({ returnTo, username, change, provider: at, elsewhere, ...more });
  };
  if (newPassword !== undefined && !NewPassword.safeParse(newPassword).success) {
    const wrong = 'The new password must have 12 to 256 characters.';
    throw new PageRefusal('invalid', await again({ wrong, status: 422 }));
  }
  try {
    deps.answer.append('set-cookie', await begin(deps, at, { username, password, newPassword }));
  } catch (error) {
    const shown = error instanceof OutriderError ? SHOWN[error.code] : undefined;
    if (!(error instanceof OutriderError) || shown === undefined) throw error;
    const wrong = error instanceof PasswordChangeRequired ? CHANGE[error.reason] : (shown.say ?? error.message);
    const asked = { wrong, status: shown.status, change: change || error.code === 'password_change_required' };
    throw new PageRefusal(error.code, await again(asked));
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

/** What the form itself answers; anything else is a page of its own. */
const SHOWN: Partial<Record<OutriderError['code'], { status: number; say?: string }>> = {
  invalid_credentials: { status: 401, say: 'The name or the password is wrong.' },
  password_change_required: { status: 403 },
  invalid: { status: 422 },
  sign_in_refused: { status: 403 },
  provider_unavailable: { status: 503 },
  conflict: { status: 409 },
};

const CHANGE: Record<PasswordChangeRequired['reason'], string> = {
  'one-time': 'This password was made for one use. Type it again, and choose your own.',
  'too-old': 'This password is older than this plane allows. Type it again, and choose another.',
};
