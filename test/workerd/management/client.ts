import { env, exports } from 'cloudflare:workers';
import type { z } from 'zod';
import type { Principal, Role } from '#schema/access.ts';
import type { Problem } from '#schema/api/problem.ts';
import { newTokenId, newUserId, randomBase32 } from '#schema/ids.ts';
import { sign, signToken } from '#workers/authn/token.ts';
import { newClusterId } from '#workers/cluster/stub.ts';
import { readConfig, type Config } from '#workers/env.ts';
import { addCluster } from '#workers/store/clusters.ts';
import { setMember } from '#workers/store/rights/members.ts';
import { addUser } from '#workers/store/users.ts';

export const ORIGIN = 'https://outrider.example.com';

/** An answer of the management API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What the test knows to be there. */
  readonly json: any;
}

export interface Ask {
  /** Bearer token; none: nobody. */
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** Asks the plane; `what` is `METHOD path`. */
export async function ask(what: string, { token, body, headers }: Ask = {}): Promise<Answer> {
  const [method = '', path = ''] = what.split(' ');
  const response = await exports.default.fetch(ORIGIN + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  // Not text(): the runtime warns about YAML, which is no text/* to it.
  const text = new TextDecoder().decode(await response.arrayBuffer());
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: /[/+]json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null,
  };
}

/** The code of a refusal, or the status of an answer that is none. */
export function outcome({ status, json }: Answer): string | number {
  const problem = json as z.infer<typeof Problem> | null;
  return status >= 400 && problem !== null ? problem.code : status;
}

export const config = async (): Promise<Config> => await readConfig(env);
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

const commit = async (statements: D1PreparedStatement[]): Promise<D1Result[]> => await env.DB.batch(statements);

/** Adds a person who has no password. */
export async function person({ administrator = false }: { administrator?: boolean } = {}): Promise<string> {
  const id = newUserId();
  await addUser(env.DB, commit, {
    id,
    username: id,
    administrator,
    passwordHash: '',
    passwordPending: false,
    createdAt: nowSeconds(),
  });
  return id;
}

/** A token for somebody, on no list of the plane's. */
export async function tokenFor(user: string, change: Partial<Principal> = {}): Promise<string> {
  const now = nowSeconds();
  return await signToken(await config(), {
    user,
    token: newTokenId(),
    issuedAt: now,
    expiresAt: now + 3600,
    cluster: null,
    readOnly: false,
    accessVersion: 0,
    ...change,
  });
}

export async function operatorToken(): Promise<string> {
  const now = nowSeconds();
  const claims = { sub: 'operator', iat: now, exp: now + 60 };
  return await sign(await config(), { audience: 'outrider-operator', type: 'JWT' }, claims);
}

/** Adds a cluster. */
export async function cluster(name = `c${randomBase32(8)}`): Promise<string> {
  const id = await newClusterId(await config());
  await addCluster(env.DB, { id, name, createdAt: nowSeconds(), createdBy: 'test' });
  return id;
}

/** Gives somebody a role. */
export async function member(clusterId: string, userId: string, role: Role): Promise<void> {
  await setMember(env.DB, commit, { clusterId, userId, role, now: nowSeconds() });
}

/** A new administrator's token. */
export async function administrator(): Promise<string> {
  return await tokenFor(await person({ administrator: true }));
}

/** A new registration token of a cluster, as its agent will have it. */
export async function newRegistrationToken(id: string, maker: string): Promise<string> {
  const made = await ask(`POST /v1/clusters/${id}/registration-tokens`, { token: maker, body: { spec: {} } });
  return new URL(made.json.importUrl).pathname.replace(/^\/import\/(.*)\.yaml$/, '$1');
}
