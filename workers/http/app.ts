import { Hono, type Context } from 'hono';
import { endBrowserSignIn, startBrowserSignIn } from '#schema/api/providers/browser.ts';
import { openApi } from '#schema/api/openapi.ts';
import { refused as refusedEvent } from '#schema/audit/event.ts';
import { errorRow, OutriderError, type ErrorCode } from '#schema/errors.ts';
import { SAFE_METHODS } from '#schema/http/methods.ts';
import { IMPERSONATE_PREFIX } from '#schema/kube/impersonation.ts';
import { unroutedEvent } from '../audit/plane.ts';
import type { Deps } from '../api/handler.ts';
import { admitAddress } from '../api/request-rate.ts';
import { PAGES } from '../api/pages/pages.ts';
import { refusalPage } from '../api/pages/refusal.ts';
import { endSignIn, startSignIn } from '../api/providers/flow.ts';
import { IMPORT_PREFIX, importManifest } from '../connect/import.ts';
import { describeError, loggablePath, logRequest } from '../log.ts';
import { OAuthError, oauthResponse } from '../oauth.ts';
import { codeOf, problemResponse } from '../problem.ts';
import { limitBody } from './body-limit.ts';
import { audited, callEndpoint, callPage, pathParams } from './call.ts';
import { ENDPOINTS, ROUTES } from './routes.ts';

/** What the entry point gives to each request. */
export interface Bindings {
  readonly requestId: string;
  readonly deps: Deps;
}

type AppContext = Context<{ Bindings: Bindings }>;

/**
 * Answers are for programs: nothing is cached, guessed at, framed or rendered. No Strict-Transport-Security: on one machine, `localhost` with a CA of one's own would
 * close every other service there to plain HTTP.
 */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** OpenAPI path templates in the router's words. */
const pattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

/** Everything but `/k8s` and tunnels, which are dispatched before any of this. */
export function createApp(): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();

  app.use(async (context, next) => {
    const started = Date.now();
    await next();
    // A page says more exactly what it may do.
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
    for (const [name, value] of context.env.deps.answer) context.res.headers.append(name, value);
    context.res.headers.set('x-request-id', context.env.requestId);
    logRequest({
      requestId: context.env.requestId,
      method: context.req.method,
      path: loggablePath(context.req.path),
      status: context.res.status,
      milliseconds: Date.now() - started,
      ...(context.error === undefined ? {} : failure(context.error)),
    });
  });
  app.use(async (context, next) => {
    try {
      refuseImpersonation(context.req.raw.headers);
      admitAddress(context.env.deps.address);
    } catch (error) {
      noteUnrouted(context, codeOf(error));
      throw error;
    }
    await next();
  });
  app.use(limitBody);
  app.onError(async (error, context) => {
    if (error instanceof OAuthError) return oauthResponse(error);
    return await refused(error, context);
  });
  app.notFound(
    async (context) => await refused(new OutriderError('not_found', 'there is nothing at this address'), context),
  );

  // Made once: neither the endpoints nor the address change while an isolate lives.
  let document: ReturnType<typeof openApi> | undefined;
  app.get('/v1/openapi.json', (context) => {
    document ??= openApi(ENDPOINTS, context.env.deps.config.publicUrl);
    return context.json(document);
  });
  app.get(`${IMPORT_PREFIX}:file`, async (context) => await importManifest(context.req.raw, context.env.deps));
  for (const served of PAGES) {
    app.on(served.endpoint.method, served.endpoint.path, async (context) => {
      return await callPage(served, context.req.raw, context.env.deps);
    });
  }
  // For browsers, which are sent on and bring cookies: not what other endpoints are.
  app.get(pattern(startBrowserSignIn.path), async (context) => {
    const { provider } = pathParams(startBrowserSignIn.params, context.req.param());
    return await startSignIn(context.req.raw, context.env.deps, provider);
  });
  app.get(pattern(endBrowserSignIn.path), async (context) => {
    // Before it is called: what is no id is not in the audit log either.
    const params = pathParams(endBrowserSignIn.params, context.req.param());
    const asked = { request: context.req.raw, input: { params, query: {}, body: {} }, caller: null };
    const run = async (deps: Deps): Promise<Response> => await endSignIn(asked.request, deps, params.provider);
    return await audited(endBrowserSignIn, asked, context.env.deps, run);
  });
  for (const route of ROUTES) {
    const { method, path } = route.endpoint;
    app.on(method, pattern(path), async (context) => {
      return await callEndpoint(route, { request: context.req.raw, params: context.req.param() }, context.env.deps);
    });
  }
  for (const [path, methods] of methodsByPath()) {
    app.all(path, (context) => methodNotAllowed(context, methods));
  }
  return app;
}

/** Not passed over: who sends such a field expects to act as somebody else. Acting is judged for one cluster, on its own path, and nowhere else. */
function refuseImpersonation(headers: Headers): void {
  for (const name of headers.keys()) {
    if (name.startsWith(IMPERSONATE_PREFIX)) {
      throw new OutriderError(
        'impersonation_refused',
        `the management API knows no ${name}: nobody acts as another there`,
      );
    }
  }
}

/** Has the audit log say what was refused before it reached anything, where it might have changed something. */
function noteUnrouted({ req, env: { requestId, deps } }: AppContext, code: ErrorCode): void {
  if (SAFE_METHODS.has(req.method)) return;
  const at = Date.now();
  const userAgent = req.header('user-agent') ?? null;
  const event = unroutedEvent({ requestId, method: req.method, address: deps.peer, userAgent, at });
  deps.refused(refusedEvent(event, code, errorRow(code).status, at));
}

/** Where an address is a page's, or no program's, a browser shows what is answered. */
const FOR_BROWSERS = new Set(PAGES.map(({ endpoint }) => pattern(endpoint.path)));
const FOR_EITHER = /^\/v1\/auth\/providers\/[^/]+\/(?:start|callback)$|^\/(?!v1\/|connect\/|import\/)/;

/** A refusal is a page to a person's browser, and a problem to a program. */
async function refused(error: unknown, { req, env }: AppContext): Promise<Response> {
  const asksForHtml = req.header('accept')?.includes('text/html') === true;
  const isPage = FOR_BROWSERS.has(req.path) || (asksForHtml && FOR_EITHER.test(req.path));
  return isPage ? await refusalPage(error, env.requestId) : problemResponse(error, env.requestId);
}

function methodsByPath(): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { method, path } of ENDPOINTS) {
    const matched = pattern(path);
    methods.set(matched, [...(methods.get(matched) ?? []), method]);
  }
  return methods;
}

/** RFC 9110 §15.5.6. */
function methodNotAllowed(context: AppContext, methods: readonly string[]): Response {
  const allow = methods.join(', ');
  const response = problemResponse(new OutriderError('method_not_allowed', `use ${allow}`), context.env.requestId);
  response.headers.set('allow', allow);
  return response;
}

function failure(error: Error): { code: string; error?: string } {
  const code = codeOf(error);
  return code === 'internal' ? { code, error: describeError(error) } : { code };
}
