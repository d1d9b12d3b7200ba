import { startBrowserSignIn } from '#schema/api/providers/browser.ts';
import { ProviderId } from '#schema/api/providers/types.ts';
import { OutriderError } from '#schema/errors.ts';
import { FORGET_FLOW, newFlow, recallFlow, rememberFlow } from '../../authn/providers/flow.ts';
import { admit } from '../../authn/providers/people/sign-in.ts';
import type { RedirectFlow } from '../../authn/providers/provider.ts';
import { connectorOf } from '../../authn/providers/sealed.ts';
import { finishFlow } from '../../store/providers/flows.ts';
import { findProvider, type Provider } from '../../store/providers/providers.ts';
import { ShapeError } from '../../problem.ts';
import type { Deps } from '../handler.ts';
import { RefusedOnTheWay } from '../pages/html.ts';
import { localPath } from '../pages/request.ts';
import { finishSignIn } from './finish.ts';
import { asRefusal } from './refusal.ts';

/** Codes and states of providers are some hundred characters; nothing that is longer is looked at. */
const MAX_QUERY = 8192;

/** `GET /v1/auth/providers/{provider}/start`: sends a browser to the provider, and has it remember what it must bring back. */
export async function startSignIn(request: Request, deps: Deps, id: string): Promise<Response> {
  const query = readQuery(request);
  const parsed = startBrowserSignIn.query.safeParse(Object.fromEntries(query));
  if (!parsed.success) throw new ShapeError(parsed.error.issues);
  const returnTo = localPath(parsed.data.returnTo, deps.config.publicUrl);
  if (returnTo === null) throw new OutriderError('invalid', 'returnTo: a path of this plane is expected');
  const provider = await enabledProvider(deps, id);
  const flow = newFlow(provider.id, returnTo, deps.now);
  try {
    const location = await (await redirectFlow(deps, provider)).begin(flow);
    return new Response(null, {
      status: 302,
      headers: { location, 'set-cookie': await rememberFlow(deps.config, flow) },
    });
  } catch (error) {
    throw asRefusal(error);
  }
}

/**
 * `GET /v1/auth/providers/{provider}/callback`: where the provider sends the browser back to. Whether this browser began it is seen before anything is asked of the database or of the
 * provider; that it comes back once, before the code is used.
 */
export async function endSignIn(request: Request, deps: Deps, id: string): Promise<Response> {
  const query = readQuery(request);
  const { config, now, db } = deps;
  const cookies = request.headers.get('cookie');
  const { flow, id: flowId } = await recallFlow(config, { cookies, provider: id, state: query.get('state'), now });
  if (!(await finishFlow(db, { id: flowId, expiresAt: flow.expiresAt, now }))) {
    throw new OutriderError('sign_in_failed', 'this sign-in came back before; begin again');
  }
  // However it ends: it is of no use any more.
  deps.answer.append('set-cookie', FORGET_FLOW);
  const provider = await enabledProvider(deps, id);
  try {
    const identity = await (await redirectFlow(deps, provider)).finish(flow, query);
    // The provider as it is after the answer: it may have been changed while that was under way.
    const signedIn = await admit(deps, await enabledProvider(deps, id), identity);
    return await finishSignIn(deps, signedIn, { description: `sign-in with ${id}`, returnTo: flow.returnTo });
  } catch (error) {
    const refusal = asRefusal(error);
    throw refusal instanceof OutriderError ? new RefusedOnTheWay(refusal, flow.returnTo) : refusal;
  }
}

/** A HEAD request is answered as a GET by the router, and would use up the flow. @throws OutriderError */
function readQuery(request: Request): URLSearchParams {
  if (request.method !== 'GET') throw new OutriderError('method_not_allowed', 'use GET');
  const { search, searchParams } = new URL(request.url);
  if (search.length > MAX_QUERY) throw new OutriderError('bad_request', 'the query is too long');
  const names = [...searchParams.keys()];
  if (new Set(names).size < names.length) {
    throw new OutriderError('bad_request', 'a query parameter is given more than once');
  }
  return searchParams;
}

/** One answer for a provider that is not there and one that is disabled. @throws OutriderError not_found */
export async function enabledProvider({ db }: Deps, id: string): Promise<Provider> {
  const known = ProviderId.safeParse(id);
  const provider = known.success ? await findProvider(db, known.data) : null;
  if (provider === null || !provider.enabled) throw new OutriderError('not_found', 'one cannot sign in there');
  return provider;
}

async function redirectFlow(deps: Deps, provider: Provider): Promise<RedirectFlow> {
  const { redirect } = await connectorOf(deps, provider);
  if (redirect === undefined) throw new OutriderError('not_found', 'one does not sign in there with a browser');
  return redirect;
}
