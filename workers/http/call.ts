import type { z } from 'zod';
import type { Endpoint } from '#schema/api/endpoint.ts';
import { refused } from '#schema/audit/event.ts';
import { errorRow, OutriderError } from '#schema/errors.ts';
import { ClusterId } from '#schema/ids.ts';
import { ANYONE, userOf } from '../audit/events.ts';
import { isRecorded, planeEvent, type PlaneCall } from '../audit/plane.ts';
import { recorded } from '../audit/record.ts';
import type { Deps, KnownCaller } from '../api/handler.ts';
import type { Page } from '../api/pages/pages.ts';
import { admit } from '../api/permission.ts';
import { byName, readForm } from '../form.ts';
import { asOAuthError } from '../oauth.ts';
import { codeOf, ShapeError } from '../problem.ts';
import type { Route } from '../api/route.ts';

/** A request as the router has it. */
export interface Incoming {
  readonly request: Request;
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

function shaped<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ShapeError(parsed.error.issues);
  return parsed.data;
}

/** A path that is no id of anything names nothing. @throws OutriderError not_found */
export function pathParams<T extends z.ZodType>(schema: T, params: Incoming['params']): z.output<T> {
  const parsed = schema.safeParse(params);
  if (!parsed.success) throw new OutriderError('not_found', 'the path names nothing of this plane');
  return parsed.data;
}

function readQuery(endpoint: Endpoint, url: string): unknown {
  const { searchParams } = new URL(url);
  const names = [...searchParams.keys()];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated !== undefined) throw new OutriderError('bad_request', 'a query parameter is given more than once');
  if (endpoint.query !== undefined) return shaped(endpoint.query, Object.fromEntries(searchParams));
  if (names.length > 0) throw new OutriderError('bad_request', 'this address takes no query parameters');
  return {};
}

/** What asks for a request to be done only where things are as they were seen (RFC 9110 §13.1): to pass it over would be to do what was not asked for. */
const PRECONDITIONS = ['if-match', 'if-none-match'];

function readHeaders({ method, headers: declared }: Endpoint, headers: Headers): unknown {
  const names = Object.keys(declared?.shape ?? {});
  const unread = PRECONDITIONS.find((name) => headers.has(name) && !names.includes(name));
  if (unread !== undefined && method !== 'GET') {
    throw new OutriderError('bad_request', `this address cannot tell whether ${unread} holds`);
  }
  if (declared === undefined) return {};
  return shaped(
    declared,
    Object.fromEntries(names.filter((name) => headers.has(name)).map((name) => [name, headers.get(name)])),
  );
}

async function readBody(endpoint: Endpoint, request: Request): Promise<unknown> {
  if (endpoint.body === undefined) return {};
  if (endpoint.encoding === 'form') return shaped(endpoint.body, await readParameters(request));
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  // Also keeps out forms of other sites, which a browser sends without asking.
  if (type !== 'application/json') throw new OutriderError('bad_request', 'the body must be application/json');
  let value: unknown;
  try {
    value = JSON.parse(await request.text());
  } catch {
    throw new OutriderError('bad_request', 'the body is not JSON');
  }
  return shaped(endpoint.body, value);
}

/** Who calls, where no person does: the operator, or anybody (Kubernetes `apiserver/pkg/authentication/user/user.go`). */
const NOBODY = { operator: { username: 'outrider:operator' }, anyone: ANYONE } as const;

/** What is known of a call before its handler runs. */
interface Received {
  readonly request: Request;
  readonly input: PlaneCall['input'];
  readonly caller: KnownCaller | null;
}

/** Runs what was called, and has it in the audit log where it belongs there. */
export async function audited<T>(
  endpoint: Endpoint,
  received: Received,
  deps: Deps,
  run: (deps: Deps) => Promise<T>,
): Promise<T> {
  if (!isRecorded(endpoint) || deps.config.audit.level === 'None') return await run(deps);
  return await recorded(
    planeCall(endpoint, received, deps),
    {
      ...{ db: deps.db, commit: deps.commit, rows: deps.config.audit.window.rows, now: Date.now },
      upkeep: () => deps.auditUpkeep(),
      refused: (event) => deps.refused(event),
    },
    async (given) => await run({ ...deps, ...given }),
  );
}

function planeCall(
  endpoint: Endpoint,
  { request, input, caller }: Received,
  { config, requestId, peer }: Deps,
): PlaneCall {
  return {
    endpoint,
    input,
    requestId,
    level: config.audit.level,
    user:
      caller === null
        ? NOBODY[endpoint.who === 'operator' ? 'operator' : 'anyone']
        : userOf({ id: caller.principal.user, username: caller.facts.username, token: caller.principal.token }),
    address: peer,
    userAgent: request.headers.get('user-agent'),
    at: Date.now(),
  };
}

/** RFC 6749 §3.2: no parameter twice, and one without a value counts as left out. */
async function readParameters(request: Request): Promise<unknown> {
  const parameters = byName(await readForm(request));
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== ''));
}

/**
 * As {@link runEndpoint}; where an endpoint is OAuth's, so are its refusals.
 * @throws OutriderError
 */
export async function callEndpoint(route: Route, incoming: Incoming, deps: Deps): Promise<Response> {
  try {
    return await runEndpoint(route, incoming, deps);
  } catch (error) {
    throw route.endpoint.encoding === 'form' ? asOAuthError(error) : error;
  }
}

/**
 * Runs an endpoint: who calls, may they, is the input right, then its handler. Only what its result declares leaves.
 * @throws OutriderError
 */
async function runEndpoint({ endpoint, handler }: Route, { request, params }: Incoming, deps: Deps): Promise<Response> {
  const named = ClusterId.safeParse(params['cluster']);
  const caller = await admitted(endpoint, { request, params }, deps, named.success ? named.data : null);
  const input = {
    params: endpoint.params === undefined ? {} : pathParams(endpoint.params, params),
    query: readQuery(endpoint, request.url),
    headers: readHeaders(endpoint, request.headers),
    body: await readBody(endpoint, request),
  };
  const run = async (given: Deps): Promise<unknown> => await handler(input, given, caller);
  const result = await audited(endpoint, { request, input, caller }, deps, run);
  const { status, media, result: schema } = endpoint;
  if (media !== undefined) return new Response(String(result), { status, headers: { 'content-type': media } });
  if (schema === undefined) return new Response(null, { status });
  return Response.json(schema.parse(result), { status });
}

/** As {@link admit}; who is refused something that changes things is in the audit log. */
async function admitted(
  endpoint: Endpoint,
  { request, params }: Incoming,
  deps: Deps,
  cluster: string | null,
): Promise<KnownCaller | null> {
  let user: PlaneCall['user'] = ANYONE;
  try {
    return await admit(endpoint, request, { ...deps, named: (caller) => (user = userOf(caller)) }, cluster);
  } catch (error) {
    if (error instanceof OutriderError && isRecorded(endpoint)) {
      const path = endpoint.params?.safeParse(params);
      // What they sent was not looked at.
      const input = { ...NO_INPUT, params: path?.success === true ? path.data : {} };
      const call = planeCall(endpoint, { request, input, caller: null }, deps);
      const event = planeEvent({ ...call, level: 'Metadata', user });
      const code = codeOf(error);
      deps.refused(refused(event, code, errorRow(code).status, Date.now()));
    }
    throw error;
  }
}

const NO_INPUT = { params: {}, query: {}, body: {} };

/** Answers with a page. What a form does is in the audit log like what an endpoint does, without what was typed. */
export async function callPage({ endpoint, answer }: Page, request: Request, deps: Deps): Promise<Response> {
  const { body: _body, query: _query, ...told } = endpoint;
  const run = async (given: Deps): Promise<Response> => await answer(request, given);
  return await audited(told, { request, input: NO_INPUT, caller: null }, deps, run);
}
