import type * as z from 'zod';
import type { Endpoint } from '#schema/api/endpoint.ts';
import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { refusalOf } from './failures.ts';
import { send, type Target } from './http.ts';

type InputOf<T> = T extends z.ZodType ? z.input<T> : undefined;
type Answered<E extends Endpoint> = E['result'] extends z.ZodType
  ? z.output<E['result']>
  : E extends { readonly media: string }
    ? string
    : undefined;

/** What an endpoint is given; what it does not declare is left out. */
export interface CallInput<E extends Endpoint> {
  readonly params?: InputOf<E['params']>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: InputOf<E['body']>;
  readonly timeoutMs?: number;
}

/**
 * Calls an endpoint of the management API as it is declared: its path, its body, and the shape of its answer.
 *
 * @throws {Failure} `Refusal` for an answer that is not its success; else as `send`.
 */
export async function call<const E extends Endpoint>(
  io: Pick<Io, 'env' | 'signal'>,
  target: Target,
  endpoint: E,
  { params, query, body, timeoutMs }: CallInput<E> = {},
): Promise<Answered<E>> {
  const answer = await send(io, target, {
    method: endpoint.method,
    path: pathOf(endpoint.path, params ?? {}, query ?? {}),
    ...(body === undefined ? {} : { body: { type: 'application/json', text: JSON.stringify(body) } }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (answer.status !== endpoint.status) throw refusalOf(target.origin, answer);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the endpoint's own schema has just checked it
  return parseAnswer(target.origin, endpoint, answer.body) as Answered<E>;
}

/** An endpoint that answers in pages. */
type Listed = Endpoint & { readonly result: z.ZodObject<{ items: z.ZodArray; continue: z.ZodNullable<z.ZodString> }> };

/** As many as the plane gives at once. */
const PAGE = '500';

/**
 * Every item of a list, page after page.
 *
 * @throws {Failure} as {@link call}.
 */
export async function callAll<const E extends Listed>(
  io: Pick<Io, 'env' | 'signal'>,
  target: Target,
  endpoint: E,
  { query, ...input }: CallInput<E> = {},
): Promise<z.output<E['result']>['items']> {
  const items: unknown[] = [];
  for (let next: string | null = ''; next !== null;) {
    const place: Readonly<Record<string, string>> = next === '' ? {} : { continue: next };
    const page: { items: unknown[]; continue: string | null } = await call<Listed>(io, target, endpoint, {
      ...input,
      query: { limit: PAGE, ...query, ...place },
    });
    items.push(...page.items);
    next = page.continue;
  }
  return items;
}

/** The path template, filled in. */
function pathOf(template: string, params: object, query: Readonly<Record<string, string>>): string {
  const values = new Map<string, unknown>(Object.entries(params));
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values.get(name))));
  const search = new URLSearchParams(query).toString();
  return search === '' ? path : `${path}?${search}`;
}

function parseAnswer(origin: string, { result, media, operation }: Endpoint, body: string): unknown {
  if (result === undefined) return media === undefined ? undefined : body;
  try {
    return result.parse(JSON.parse(body));
  } catch (error) {
    // The body stays out of the message: it may hold a credential.
    throw new Failure(
      'error',
      `${origin} answered ${operation} with a body that this version does not know: install the CLI that came with the plane`,
      { cause: error },
    );
  }
}
