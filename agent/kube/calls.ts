import { createConfiguration } from '@kubernetes/client-node/dist/gen/configuration.js';
import { ApiException } from '@kubernetes/client-node/dist/gen/apis/exception.js';
import { type RequestContext, ResponseContext, wrapHttpLibrary } from '@kubernetes/client-node/dist/gen/http/http.js';
import type { V1Secret } from '@kubernetes/client-node/dist/gen/models/V1Secret.js';
import { ServerConfiguration } from '@kubernetes/client-node/dist/gen/servers.js';
import { PromiseCoreV1Api, PromiseVersionApi } from '@kubernetes/client-node/dist/gen/types/PromiseAPI.js';
import type { Dispatcher } from 'undici';
import { USER_AGENT } from '../version.ts';

/** A typed call is small and quick; past this the API server is not well, ms. */
const CALL_TIMEOUT_MS = 30_000;

/** Secrets are at most 1 MiB (Kubernetes `core/validation`, MaxSecretSize); base64 and metadata come on top. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The life asked for an account's token, seconds: client-go's default; the API server may give less. */
const TOKEN_LIFETIME_SECONDS = 3600;

/** The API server said no. The message is its own; the generated client's error would dump the whole answer. */
class KubeError extends Error {
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

/** The typed calls that the agent makes for itself. They throw {@link KubeError}, or Error when the API server cannot be reached. */
export interface KubeCalls {
  /** TokenRequest (KEP-1205) for a service account. */
  createToken(namespace: string, account: string): Promise<AccountToken>;
  readSecret(namespace: string, name: string): Promise<V1Secret>;
  /** Fails with {@link isConflict} when the Secret changed since `secret.metadata.resourceVersion`. */
  replaceSecret(secret: V1Secret): Promise<V1Secret>;
  /** The UID of a namespace; that of kube-system stands for the cluster (Kubernetes SIG Architecture: "cluster id"). */
  namespaceUid(name: string): Promise<string>;
  /** `gitVersion`, such as `v1.34.2`. */
  version(): Promise<string>;
}

/**
 * The generated client of @kubernetes/client-node over our own pool. Imported by file: its index brings a second HTTP stack, OIDC and YAML,
 * which cost 40 MiB resident and are of no use here.
 */
export function kubeCalls(dispatcher: Dispatcher, origin: string, bearer: Bearer): KubeCalls {
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(origin, {}),
    httpApi: wrapHttpLibrary({ send: (request) => send(dispatcher, request) }),
    authMethods: {
      default: {
        getName: () => 'bearer',
        applySecurityAuthentication: async (context) => {
          context.setHeaderParam('authorization', `Bearer ${await bearer.token()}`);
        },
      },
    },
  });
  const core = new PromiseCoreV1Api(configuration);
  const about = new PromiseVersionApi(configuration);
  const call = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof ApiException)) throw error;
      if (error.code === 401) bearer.refused();
      throw new KubeError(error.code, `the API server answered ${error.code}${said(error.body)}`);
    }
  };
  return {
    createToken: async (namespace, account) => {
      const { status } = await call(
        core.createNamespacedServiceAccountToken(account, namespace, {
          spec: { audiences: [], expirationSeconds: TOKEN_LIFETIME_SECONDS },
        }),
      );
      if (!status?.token || !status.expirationTimestamp) throw new Error('TokenRequest was answered without a token');
      return { token: status.token, expiresAt: new Date(status.expirationTimestamp).getTime() };
    },
    readSecret: (namespace, name) => call(core.readNamespacedSecret(name, namespace)),
    replaceSecret: (secret) => {
      const { name, namespace } = secret.metadata ?? {};
      if (name === undefined || namespace === undefined) throw new Error('a Secret without name or namespace');
      return call(core.replaceNamespacedSecret(name, namespace, secret));
    },
    namespaceUid: async (name) => {
      const uid = (await call(core.readNamespace(name))).metadata?.uid;
      if (uid === undefined) throw new Error(`namespace ${name} has no uid`);
      return uid;
    },
    version: async () => (await call(about.getCode())).gitVersion,
  };
}

/** 409: somebody else was first. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

/** The message of a Status in an answer's body. */
function said(body: unknown): string {
  const status = typeof body === 'string' ? tryParse(body) : body;
  return typeof status === 'object' && status !== null && 'message' in status ? `: ${String(status.message)}` : '';
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function send(dispatcher: Dispatcher, request: RequestContext): Promise<ResponseContext> {
  const { pathname, search } = new URL(request.getUrl());
  const body = request.getBody();
  const {
    statusCode,
    headers,
    body: answer,
  } = await dispatcher.request({
    path: `${pathname}${search}`,
    method: request.getHttpMethod(),
    headers: { ...request.getHeaders(), 'user-agent': USER_AGENT },
    body: typeof body === 'string' ? body : null,
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const bytes = await readBounded(answer);
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    fields[name] = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return new ResponseContext(statusCode, fields, {
    text: () => Promise.resolve(bytes.toString('utf8')),
    binary: () => Promise.resolve(bytes),
    stream: () => null,
  });
}

async function readBounded(answer: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the API server answered with more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
