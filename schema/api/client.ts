import * as z from 'zod';
import { endpointsOf } from '../resources/endpoints.ts';
import { resourceOf, type Kind, type ResourceOf, type WithinOf } from '../resources/kind.ts';
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

/** What OAuth's endpoints refuse with in place of a problem (RFC 6749 §5.2). */
const OAuthRefusal = z
  .object({ error: z.string(), error_description: z.string().optional() })
  .transform(({ error, error_description: detail = error }) => ({ code: error, detail, problem: null }));

/** Why there is no result. */
interface Refused {
  readonly code: string;
  readonly detail: string;
  readonly problem: Problem | null;
}

/** The plane refused, or something between it and the client answered in its place: then the code is `unexpected`. */
export class ApiError extends Error {
  readonly status: number;
  /** Stable: see `schema/errors.ts`; of OAuth's endpoints the `error` (RFC 6749 §5.2, RFC 8628 §3.5). */
  readonly code: string;
  /** Why, in words. */
  readonly detail: string;
  /** null: the refusal is one of OAuth's, or none of this API. */
  readonly problem: Problem | null;
  /** What was asked: the method and the path as declared. */
  readonly what: string;
  constructor(status: number, refused: Refused | null, what: string) {
    const { code, detail, problem } = refused ?? {
      code: 'unexpected',
      detail: `an answer of ${status} that is not of this API`,
      problem: null,
    };
    super(`${what}: ${detail}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.problem = problem;
    this.what = what;
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
  Part<'headers', E['headers']> &
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
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly body?: object;
}

/** The management API for a program: what goes in and out is typed by the endpoint, and what comes out is checked by it. */
export class Client {
  readonly #origin: string;
  readonly #ask: Ask;
  readonly #headers: () => Readonly<Record<string, string>>;
  readonly #failure: (error: ApiError) => Error;

  /**
   * @param options `origin`: the plane's, without a slash at the end; empty in a page of its own. `headers`: what says who asks, looked up anew for each request, since a
   * token is renewed. `failure`: what is thrown in place of an `ApiError`, in a program that has errors of its own
   */
  constructor(options: {
    origin: string;
    ask: Ask;
    headers?: () => Readonly<Record<string, string>>;
    failure?: (error: ApiError) => Error;
  }) {
    this.#origin = options.origin;
    this.#ask = options.ask;
    this.#headers = options.headers ?? (() => ({}));
    this.#failure = options.failure ?? ((error) => error);
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

  /** Every resource of a kind that a query finds, whole; `params` where the kind is a part of another. */
  async *resources<const K extends Kind>(
    kind: K,
    query?: Omit<z.input<SelectQuery<K['listing']>>, 'fields' | 'continue'>,
    params?: WithinOf<K>,
  ): AsyncGenerator<z.output<ResourceOf<K>>, void, undefined> {
    const whole = resourceOf(kind);
    const { list } = endpointsOf<Kind>(kind);
    for await (const item of this.items(list, { query: { ...query }, ...(params === undefined ? {} : { params }) })) {
      const resource = whole.safeParse(item);
      if (!resource.success) throw this.#failure(new ApiError(list.status, null, whatOf(list)));
      yield resource.data;
    }
  }

  async #send(endpoint: Endpoint, { params = {}, query = {}, headers = {}, body = {} }: Parts): Promise<unknown> {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
    const asked = fieldsOf(query);
    const sent = endpoint.body === undefined ? undefined : encoded(endpoint, body);
    const answer = await this.#ask(`${this.#origin}${path}${asked === '' ? '' : `?${asked}`}`, {
      method: endpoint.method,
      redirect: 'manual',
      headers: {
        ...this.#headers(),
        ...Object.fromEntries(
          Object.entries(headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
        ),
        ...(sent === undefined ? {} : { 'content-type': sent.type }),
      },
      ...(sent === undefined ? {} : { body: sent.text }),
    });
    const text = await answer.text();
    const result = read(endpoint, answer.status, text);
    if (!result.success)
      throw this.#failure(new ApiError(answer.status, refusedBy(endpoint, answer.status, text), whatOf(endpoint)));
    return result.data;
  }
}

/** The path as declared: what stood in it, and in the body, may be a secret. */
const whatOf = ({ method, path }: Endpoint): string => `${method} ${path}`;

/** Names and values as a query and a form have them; what is undefined is left out. */
const fieldsOf = (fields: object): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&');

const encoded = ({ encoding }: Endpoint, body: object): { type: string; text: string } =>
  encoding === 'form'
    ? { type: 'application/x-www-form-urlencoded', text: fieldsOf(body) }
    : { type: 'application/json', text: JSON.stringify(body) };

function read(endpoint: Endpoint, status: number, text: string): { success: true; data: unknown } | { success: false } {
  if (status !== endpoint.status) return { success: false };
  if (endpoint.result === undefined) {
    return { success: true, data: endpoint.media === undefined ? undefined : text };
  }
  return endpoint.result.safeParse(json(text));
}

function refusedBy({ encoding, status: expected }: Endpoint, status: number, text: string): Refused | null {
  if (status === expected) return null;
  const body = json(text);
  const problem = Problem.safeParse(body).data;
  if (problem !== undefined) return { code: problem.code, detail: problem.detail, problem };
  return encoding === 'form' ? (OAuthRefusal.safeParse(body).data ?? null) : null;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
