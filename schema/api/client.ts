import type * as z from 'zod';
import { endpointsOf } from '../resources/endpoints.ts';
import { resourceOf, type Kind, type ResourceOf } from '../resources/kind.ts';
import type { SelectQuery } from '../resources/list.ts';
import type { Endpoint } from './endpoint.ts';
import { Problem } from './problem.ts';

/** What a client asks with: `fetch`, or what a program has in its place. Redirects are not to be followed: a token would go along. */
export type Ask = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly redirect: 'manual';
  },
) => Promise<{ readonly status: number; text(): Promise<string> }>;

/** The plane refused, or something between it and the client answered in its place: then there is no `problem`, and the code is `unexpected`. */
export class ApiError extends Error {
  readonly status: number;
  /** Stable: see `schema/errors.ts`. */
  readonly code: string;
  readonly problem: Problem | null;
  constructor(status: number, problem: Problem | null, what: string) {
    super(problem === null ? `${what}: an answer of ${status} that is not of this API` : `${what}: ${problem.detail}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = problem?.code ?? 'unexpected';
    this.problem = problem;
  }
}

/** A part of a request: left out where the endpoint has none, and may be where nothing in it has to be said. */
type Part<Name extends string, T> = T extends z.ZodType
  ? object extends z.input<T>
    ? { readonly [N in Name]?: z.input<T> }
    : { readonly [N in Name]: z.input<T> }
  : unknown;

/** What an endpoint is asked with. */
export type Request<E extends Endpoint> = Part<'params', E['params']> &
  Part<'query', E['query']> &
  Part<'body', E['body']>;

/** What an endpoint answers: its result, text where it declares a media type, or nothing. */
export type Response<E extends Endpoint> = E['result'] extends z.ZodType
  ? z.output<E['result']>
  : E extends { readonly media: string }
    ? string
    : undefined;

/** An endpoint that answers in pages. */
type Listed = Endpoint & { readonly result: z.ZodObject<{ items: z.ZodArray; continue: z.ZodNullable<z.ZodString> }> };

type ItemOf<E extends Listed> = z.output<E['result']>['items'][number];

interface Parts {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** The management API for a program: what goes in and out is typed by the endpoint, and what comes out is checked by it. */
export class Client {
  readonly #origin: string;
  readonly #ask: Ask;
  readonly #headers: () => Readonly<Record<string, string>>;

  /**
   * @param options `origin`: the plane's, without a slash at the end; empty in a page of its own. `headers`: what says who asks, looked up anew for each request, since a
   * token is renewed
   */
  constructor(options: { origin: string; ask: Ask; headers?: () => Readonly<Record<string, string>> }) {
    this.#origin = options.origin;
    this.#ask = options.ask;
    this.#headers = options.headers ?? (() => ({}));
  }

  /** Asks one endpoint. @throws ApiError the plane refused, or it was not the plane that answered; and whatever `ask` throws */
  async call<const E extends Endpoint>(
    endpoint: E,
    ...[request]: object extends Request<E> ? [request?: Request<E>] : [request: Request<E>]
  ): Promise<Response<E>> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same, its exact types forgotten; and its answer, checked below
    return (await this.#send(endpoint, request ?? {})) as Response<E>;
  }

  /** Every item of a list, page after page. */
  async *items<const E extends Listed>(
    endpoint: E,
    ...[request]: object extends Request<E> ? [request?: Request<E>] : [request: Request<E>]
  ): AsyncGenerator<ItemOf<E>, void, undefined> {
    const parts: Parts = request ?? {};
    let next: string | null = null;
    do {
      const query: Parts['query'] = { ...parts.query, ...(next === null ? {} : { continue: next }) };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the endpoint's own result
      const page = (await this.#send(endpoint, { ...parts, query })) as { items: ItemOf<E>[]; continue: string | null };
      yield* page.items;
      next = page.continue;
    } while (next !== null);
  }

  /** Every resource of a kind that a query finds, whole. */
  async *resources<const K extends Kind>(
    kind: K,
    query?: Omit<z.input<SelectQuery<K['listing']>>, 'fields' | 'continue'>,
  ): AsyncGenerator<z.output<ResourceOf<K>>, void, undefined> {
    const whole = resourceOf(kind);
    const { list } = endpointsOf<Kind>(kind);
    for await (const item of this.items(list, { query: { ...query } })) {
      const resource = whole.safeParse(item);
      if (!resource.success) throw new ApiError(list.status, null, whatOf(list));
      yield resource.data;
    }
  }

  async #send(endpoint: Endpoint, { params = {}, query = {}, body = {} }: Parts): Promise<unknown> {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
    const asked = Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
    const answer = await this.#ask(`${this.#origin}${path}${asked.length === 0 ? '' : `?${asked.join('&')}`}`, {
      method: endpoint.method,
      redirect: 'manual',
      headers: {
        ...this.#headers(),
        ...(endpoint.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(endpoint.body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return read(endpoint, answer.status, await answer.text());
  }
}

/** The path as declared: what stood in it, and in the body, may be a secret. */
const whatOf = ({ method, path }: Endpoint): string => `${method} ${path}`;

function read(endpoint: Endpoint, status: number, text: string): unknown {
  const what = whatOf(endpoint);
  if (status !== endpoint.status) throw new ApiError(status, Problem.safeParse(json(text)).data ?? null, what);
  if (endpoint.result === undefined) return endpoint.media === undefined ? undefined : text;
  const result = endpoint.result.safeParse(json(text));
  if (!result.success) throw new ApiError(status, null, what);
  return result.data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
