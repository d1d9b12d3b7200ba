import * as z from 'zod';
import { errorRow, type ErrorCode } from '../errors.ts';
import { HTML, type Endpoint, type Who } from './endpoint.ts';
import { isPermission, type Permission } from '../roles.ts';
import { describePlace, TAGS, tagOf } from './openapi-words.ts';
import { portablePatterns } from './pattern.ts';
import { Problem } from './problem.ts';

type Json = Record<string, unknown>;

/** Any endpoint may be refused so. */
const COMMON: readonly ErrorCode[] = ['bad_request', 'invalid', 'too_large', 'overloaded', 'internal'];

/** Refusals that come with being known; see {@link Who}. */
const BY_PERMISSION: readonly ErrorCode[] = ['unauthenticated', 'wrong_scope', 'read_only', 'forbidden'];

const BY_WHO: Record<Exclude<Who, Permission>, readonly ErrorCode[]> = {
  anyone: [],
  operator: ['unauthenticated'],
  person: ['unauthenticated', 'wrong_scope', 'read_only'],
  administrator: BY_PERMISSION,
  'cluster-member': ['unauthenticated', 'wrong_scope', 'read_only', 'unknown_cluster'],
  'cluster-owner': ['unauthenticated', 'wrong_scope', 'read_only', 'unknown_cluster', 'forbidden'],
};

const refusalsOf = (who: Who): readonly ErrorCode[] => (isPermission(who) ? BY_PERMISSION : BY_WHO[who]);

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return portablePatterns(rest);
}

const content = (media: string, schema: Json): Json => ({ content: { [media]: { schema } } });

function parameters(schema: z.ZodObject | undefined, place: 'path' | 'query' | 'header'): Json[] {
  if (schema === undefined) return [];
  return Object.entries<z.ZodType>(schema.shape).map(([name, field]) => {
    const { description = describePlace(name), ...type } = schemaOf(field, 'input');
    return {
      name,
      in: place,
      required: place === 'path' || !field.safeParse(undefined).success,
      ...(typeof description === 'string' ? { description } : {}),
      schema: type,
    };
  });
}

/** RFC 9110 §8.8.3. */
const ETAG: Json = {
  ETag: { description: 'Of this version: send it as If-Match to change nothing else', schema: { type: 'string' } },
};

const LEADS: Json = {
  description: 'Leads to another address',
  headers: { location: { description: 'Where to (RFC 9110 §10.2.2)', required: true, schema: { type: 'string' } } },
};

function success(endpoint: Endpoint): Json {
  if (endpoint.status === 302 || endpoint.status === 303) return LEADS;
  // The schema is of the value that YAML says, not of its text.
  const written = endpoint.media === 'application/yaml' ? 'object' : 'string';
  if (endpoint.media !== undefined) return { description: 'Done', ...content(endpoint.media, { type: written }) };
  if (endpoint.result === undefined) return { description: 'Done' };
  return {
    description: 'Done',
    ...(endpoint.etag === true ? { headers: ETAG } : {}),
    ...content('application/json', schemaOf(endpoint.result, 'output')),
  };
}

/** What RFC 6749 §5.2 and RFC 8628 §3.5 say to a client. */
const OAUTH_REFUSALS: Json = {
  '400': {
    description: 'Refused, or not decided yet (RFC 6749 §5.2, RFC 8628 §3.5)',
    ...content('application/json', {
      type: 'object',
      properties: { error: { type: 'string' }, error_description: { type: 'string' } },
      required: ['error'],
    }),
  },
};

const PROBLEM: Json = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
const PAGE: Json = { [HTML]: { schema: { type: 'string' } } };
const TO_BROWSERS = { page: PAGE, either: { ...PROBLEM, ...PAGE } } as const;

/** One response for each status, which names the codes that share it. */
function refusals(endpoint: Endpoint): Json {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of [...endpoint.errors, ...refusalsOf(endpoint.who), ...COMMON]) {
    const { status } = errorRow(code);
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([a], [b]) => a - b)
      .map(([status, codes]) => [
        String(status),
        {
          description: [...codes].map((code) => `${code}: ${errorRow(code).title}`).join('; '),
          content: endpoint.browser === undefined ? PROBLEM : TO_BROWSERS[endpoint.browser],
        },
      ]),
  );
}

const bodyMedia = ({ encoding }: Endpoint): string =>
  encoding === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';

/** A browser's session instead of a token: wherever a person calls. */
function securityOf({ who }: Endpoint): Json[] {
  if (who === 'anyone') return [];
  return who === 'operator' ? [{ bearer: [] }] : [{ bearer: [] }, { session: [] }];
}

function operation(endpoint: Endpoint): Json {
  return {
    operationId: endpoint.operation,
    summary: endpoint.summary,
    tags: [tagOf(endpoint.path)],
    'x-outrider-who': endpoint.who,
    security: securityOf(endpoint),
    parameters: [
      ...parameters(endpoint.params, 'path'),
      ...parameters(endpoint.query, 'query'),
      ...parameters(endpoint.headers, 'header'),
    ],
    ...(endpoint.body === undefined
      ? {}
      : { requestBody: { required: true, ...content(bodyMedia(endpoint), schemaOf(endpoint.body, 'input')) } }),
    responses: {
      [String(endpoint.status)]: success(endpoint),
      ...(endpoint.leads === undefined ? {} : { [String(endpoint.leads)]: LEADS }),
      ...refusals(endpoint),
      ...(endpoint.encoding === 'form' && endpoint.browser === undefined ? OAUTH_REFUSALS : {}),
    },
  };
}

/** The OpenAPI 3.1 document of the endpoints. */
export function openApi(endpoints: readonly Endpoint[], server: string): Json {
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Outrider',
      version: 'v1',
      description: 'Management API of an Outrider plane.',
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: server }],
    tags: TAGS.filter(({ name }) => endpoints.some(({ path }) => tagOf(path) === name)),
    paths,
    components: {
      schemas: { Problem: schemaOf(Problem, 'output') },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-outrider-session',
          description: 'From the plane’s own pages only: Origin is checked',
        },
      },
    },
  };
}
