import { decideByForm, showDevice } from '#schema/api/account/pages.ts';
import { moment } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { csrfToken, isCsrfToken } from '../../authn/browser/csrf.ts';
import type { DeviceGrant } from '../../store/sign-in/device-grants.ts';
import type { Deps, KnownCaller } from '../handler.ts';
import { shownCode, typedCode } from '../sign-in/codes.ts';
import { decideDevice, waitingDevice } from '../sign-in/device.ts';
import { alert, describedBy, markup, named, page, PageRefusal, seeOther } from './html.ts';
import { formOf, queryOf, signInFor, visitor } from './request.ts';

/** A form for one code is good for no other. */
const purpose = (code: string): string => `device ${code}`;

async function ask(wrong: string | null = null, status = 200): Promise<Response> {
  const body = markup`
    ${wrong === null ? null : alert(wrong)}
    <form method="get" action="/device">
      <label>The code that your device shows
        <input class="code" name="user_code" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false" maxlength="32"${describedBy(wrong)} required autofocus></label>
      <button class="main">Go on</button>
    </form>`;
  return await page('Sign a device in', body, { status });
}

const UNKNOWN = 'No device waits with this code. Codes last ten minutes, and are good once.';

/** RFC 8628 §5.4: whoever is asked to approve sees what asks, whence and since when, and is told what it will mean. */
async function confirm(deps: Deps, { principal, facts }: KnownCaller, code: string, grant: DeviceGrant) {
  const csrf = await csrfToken(deps.config, principal, purpose(code));
  const body = markup`
    <p class="code">${shownCode(code)}</p>
    <p>Does your device show this very code? It asks to act as <b>${named(facts.username)}</b>, with all that you may do.</p>
    <dl>
      <dt>Client</dt>
      <dd>${grant.clientId}</dd>
      <dt>Calls itself</dt>
      <dd>${grant.deviceName === '' ? '(nothing)' : named(grant.deviceName)}</dd>
      <dt>Asks from</dt>
      <dd>${grant.address ?? 'an unknown address'}</dd>
      <dt>You are at</dt>
      <dd>${deps.address ?? 'an unknown address'}</dd>
      <dt>Asked at</dt>
      <dd>${moment(grant.createdAt)
        .replace('T', ' ')
        .replace(/(\.\d+)?Z$/, ' UTC')}</dd>
    </dl>
    <p>Approve only what you have begun yourself, on a device before you. Nobody who helps you needs this.</p>
    <form method="post" action="/device">
      <input type="hidden" name="csrf" value="${csrf}">
      <input type="hidden" name="user_code" value="${shownCode(code)}">
      <button name="decision" value="approve">Approve</button>
      <button name="decision" value="deny">Deny</button>
    </form>`;
  return await page('Sign a device in', body);
}

/** `GET /device?user_code=…`: asks for the code, then whether to approve. */
export async function askDevice(request: Request, deps: Deps): Promise<Response> {
  const { user_code: typed } = queryOf(showDevice.query, request);
  const code = typedCode(typed);
  const caller = await visitor(request, deps);
  if (caller === null) return seeOther(signInFor(code === null ? '/device' : `/device?user_code=${shownCode(code)}`));
  if (typed === '') return await ask();
  const grant = code === null ? null : await waitingDevice(deps, caller, code);
  return code === null || grant === null ? await ask(UNKNOWN, 404) : await confirm(deps, caller, code, grant);
}

/** `POST /device`: the decision. */
export async function answerDevice(request: Request, deps: Deps): Promise<Response> {
  const { user_code: typed, csrf, decision } = await formOf(decideByForm.body, request, deps);
  const caller = await visitor(request, deps);
  if (caller === null) throw new OutriderError('unauthenticated', 'you are not signed in any more; begin again');
  const code = typedCode(typed);
  if (code === null || !(await isCsrfToken(deps.config, caller.principal, purpose(code), csrf))) {
    throw new OutriderError('forbidden', 'the form is not from this session; begin again at /device');
  }
  const approved = decision === 'approve';
  if (!(await decideDevice(deps, caller, { code, approved }))) {
    throw new PageRefusal('not_found', await ask(UNKNOWN, 404));
  }
  return approved
    ? await page(
        'Approved',
        markup`<p>The device is signed in as <b>${named(caller.facts.username)}</b>. You can close this page.</p>`,
      )
    : await page('Denied', markup`<p>The device was refused. You can close this page.</p>`);
}
