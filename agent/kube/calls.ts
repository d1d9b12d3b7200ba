import * as z from 'zod';
import { type Dispatch, type KubeRequest, request } from './request.ts';

/** The life asked for an account's token, seconds: client-go's default; the API server may give less. */
const TOKEN_LIFETIME_SECONDS = 3600;

/** A service account's token is 1 to 2 KiB; the API server takes 1 MiB of header fields in all (`net/http`, DefaultMaxHeaderBytes). */
const MAX_TOKEN_LENGTH = 64 * 1024;

/** Names of namespaces and Secrets (Kubernetes docs: "Object names and IDs", DNS subdomain). */
const Name = z.string().min(1).max(253);

const TokenRequest = z.object({
  status: z.object({
    token: z.string().min(1).max(MAX_TOKEN_LENGTH),
    expirationTimestamp: z.iso.datetime({ offset: true }),
  }),
});

const Namespace = z.object({ metadata: z.object({ uid: z.string().min(1).max(128) }) });

const Version = z.object({ gitVersion: z.string().min(1).max(128) });

/** A Secret of core/v1: what is read of it. The rest stays in it, so that replacing it takes nothing away. Its size is bounded by that of an answer. */
const Secret = z.looseObject({
  metadata: z.looseObject({ name: Name, namespace: Name, resourceVersion: z.string().max(1024).optional() }),
  data: z.record(z.string(), z.string()).optional(),
});
export type Secret = z.infer<typeof Secret>;

/** A Status of meta/v1, as far as it is shown. */
const Status = z.object({ message: z.string().max(4096) });

/** The API server said no; the message is its own. */
export class KubeError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'KubeError';
    this.status = status;
  }
}

/** Whose token a call is made with. */
export interface Bearer {
  token(): Promise<string>;
  /** The API server did not accept the token. */
  refused(): void;
}

/** A token and how long the API server says that it lives. */
export interface AccountToken {
  token: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** The typed calls that the agent makes for itself. They throw {@link KubeError}, or Error when the API server cannot be reached or answers with something else. */
export interface KubeCalls {
  /** TokenRequest (KEP-1205) for a service account. */
  createToken(namespace: string, account: string): Promise<AccountToken>;
  readSecret(namespace: string, name: string): Promise<Secret>;
  /** Fails with {@link isConflict} when the Secret changed since `secret.metadata.resourceVersion`. */
  replaceSecret(secret: Secret): Promise<Secret>;
  /** The UID of a namespace; that of kube-system stands for the cluster (Kubernetes SIG Architecture: "cluster id"). */
  namespaceUid(name: string): Promise<string>;
  /** `gitVersion`, such as `v1.34.2`. */
  version(): Promise<string>;
}

/** Five calls by hand over our own pool: the generated client costs 14 MiB resident (`schema/decisions/0009-agent-memory.md`). */
export function kubeCalls(pool: Dispatch, bearer: Bearer): KubeCalls {
  const call = async <T>(answer: z.ZodType<T>, asked: Omit<KubeRequest, 'token'>): Promise<T> => {
    const { status, body } = await request(pool, { ...asked, token: await bearer.token() });
    if (status < 200 || status > 299) {
      if (status === 401) bearer.refused();
      const said = Status.safeParse(body);
      throw new KubeError(status, `the API server answered ${status}${said.success ? `: ${said.data.message}` : ''}`);
    }
    const parsed = answer.safeParse(body);
    // Not what was wrong with it: the answer may be a token.
    if (!parsed.success) throw new Error(`the API server answered ${asked.method} ${asked.path} with something else`);
    return parsed.data;
  };
  return {
    createToken: async (namespace, account) => {
      const { status } = await call(TokenRequest, {
        method: 'POST',
        path: path`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { audiences: [], expirationSeconds: TOKEN_LIFETIME_SECONDS },
        },
      });
      return { token: status.token, expiresAt: Date.parse(status.expirationTimestamp) };
    },
    readSecret: (namespace, name) => call(Secret, { method: 'GET', path: secretPath(namespace, name) }),
    replaceSecret: (secret) => {
      const { name, namespace } = secret.metadata;
      return call(Secret, { method: 'PUT', path: secretPath(namespace, name), body: secret });
    },
    namespaceUid: async (name) => {
      const { metadata } = await call(Namespace, { method: 'GET', path: path`/api/v1/namespaces/${name}` });
      return metadata.uid;
    },
    version: async () => (await call(Version, { method: 'GET', path: '/version' })).gitVersion,
  };
}

/** 409: somebody else was first. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

function secretPath(namespace: string, name: string): string {
  return path`/api/v1/namespaces/${namespace}/secrets/${name}`;
}

/** A path whose values are one segment each. */
function path(texts: TemplateStringsArray, ...values: string[]): string {
  return String.raw({ raw: texts }, ...values.map(encodeURIComponent));
}
