import * as z from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { Permission } from '../roles.ts';

/**
 * Who may call an endpoint. Administrators are owners of every cluster.
 *
 * - `anyone`: no token is looked at; what the body or path carries is the credential.
 * - `operator`: whoever holds the signing key.
 * - `person`: anybody signed in; they reach what is their own.
 * - a {@link Permission}: who has it by a global role.
 * - `cluster-member`, `cluster-owner`: by their role in the `{cluster}` of the path. To others the cluster does not exist.
 */
export type Who = 'anyone' | 'operator' | 'person' | 'administrator' | 'cluster-member' | 'cluster-owner' | Permission;

/**
 * What a restricted token may do beside its person's rights. A read-only token `reads`, a token for one cluster reads that cluster, both may ask about their
 * `self`, and only a token without restriction does `anything`. What `reads` gives out opens nothing more.
 */
export type Scope = 'self' | 'reads' | 'anything';

/** What a person's browser shows. */
export const HTML = 'text/html; charset=utf-8';

/** Prometheus, "Exposition formats": the text format. */
export const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

interface Shape {
  /** OpenAPI operationId. */
  readonly operation: string;
  readonly summary: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** OpenAPI path template. */
  readonly path: `/${string}`;
  readonly who: Who;
  readonly scope: Scope;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Header fields that it reads, by their names in lower case. */
  readonly headers?: z.ZodObject;
  /** A JSON object; none: a body is not read. */
  readonly body?: z.ZodObject;
  /** The body is a form; unless it is a browser's, refusals are those of OAuth (RFC 6749 §3.2, §5.2): what its clients expect. */
  readonly encoding?: 'form';
  /** For a person's browser: refusals are pages; `either`: to a browser that asks for HTML, and problems to a program. */
  readonly browser?: 'page' | 'either';
  /** 302 and 303 lead to another address (RFC 9110 §15.4). */
  readonly status: 200 | 201 | 204 | 302 | 303;
  /** A page that may also lead elsewhere instead. */
  readonly leads?: 303;
  /** None: 204, or not JSON. */
  readonly result?: z.ZodType;
  /** The media type of a result that is text and not JSON. */
  readonly media?: 'application/yaml' | typeof PROMETHEUS_TEXT | typeof HTML;
  /** The answer has an ETag (RFC 9110 §8.8.3). */
  readonly etag?: true;
  /** Refusals of its own, beside those that every endpoint has. */
  readonly errors: readonly ErrorCode[];
}

/** One endpoint of the management API: its route, its validation, its permission and its page in the OpenAPI document come from this value. */
export type Endpoint = Shape;

/** Declares an endpoint, keeping its exact types for its handler. */
export const endpoint = <const E extends Shape>(declared: E): E => declared;

type Output<T> = T extends z.ZodType ? z.output<T> : Record<string, never>;

/** What the handler of an endpoint gets, checked. */
export interface Input<E extends Shape> {
  readonly params: Output<E['params']>;
  readonly query: Output<E['query']>;
  readonly headers: Output<E['headers']>;
  readonly body: Output<E['body']>;
}

/** What the handler of an endpoint returns: its result, text where it declares a media type, or nothing. */
export type Result<E extends Shape> = E['result'] extends z.ZodType
  ? z.input<E['result']>
  : E extends { readonly media: string }
    ? string
    : undefined;

/** A moment in RFC 3339, from epoch seconds. */
export const moment = (epochSeconds: number): string => new Date(epochSeconds * 1000).toISOString();

export const Moment = z.iso.datetime().describe('RFC 3339, UTC');

/** The one envelope of lists. */
export const listOf = <T extends z.ZodType>(item: T): z.ZodObject<{ items: z.ZodArray<T> }> =>
  z.object({ items: z.array(item) });
