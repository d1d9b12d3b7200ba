import { base64url } from 'jose';
import * as z from 'zod';
import { AUDIT_DAYS, AUDIT_ROWS, AuditLevel } from '#schema/audit/event.ts';

/** One key of the plane. The first of {@link Config.signingKeys} signs; all verify, so a key can be retired without a sign-out. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** The public half as JWKs have it (RFC 8037 §2). */
  readonly x: string;
}

/** One key that secrets are sealed with at rest. The first of {@link Config.secretsKeys} seals; all open. */
export interface SecretsKey {
  readonly id: string;
  /** AES-256-GCM. */
  readonly key: CryptoKey;
}

/** The plane's configuration, checked: nobody reads the raw environment after this. */
export interface Config {
  /** Origin that people and agents dial: `https://host[:port]`, no slash at the end. Issuer of every token. */
  readonly publicUrl: string;
  /** CA in PEM where the certificate of `publicUrl` is not publicly trusted; null: it is. */
  readonly publicCa: string | null;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  /** HMAC-SHA-256: authenticates cluster ids, and the forms of pages (`authn/browser/csrf.ts`). */
  readonly clusterIdKey: CryptoKey;
  /** Seal the secrets that the plane keeps for others, such as those of sign-in providers. */
  readonly secretsKeys: readonly [SecretsKey, ...SecretsKey[]];
  /** Image reference of the agent. */
  readonly agentImage: string;
  /** Requests a second to a cluster with one token; null: as `cluster/limits.ts` says. */
  readonly requestsPerToken: number | null;
  readonly audit: {
    /** None: nothing is written down. Request: of calls to the plane itself also what they sent, redacted. */
    readonly level: AuditLevel;
    /** What stays in the database. */
    readonly window: { readonly days: number; readonly rows: number };
  };
}

/** The strings of wrangler.toml that {@link readConfig} checks. */
export type RawConfig = Pick<
  Env,
  'PUBLIC_URL' | 'PUBLIC_CA' | 'AGENT_IMAGE' | 'SIGNING_KEYS' | 'CLUSTER_ID_KEY' | 'SECRETS_KEYS'
> &
  Partial<Record<'AUDIT_LEVEL' | 'AUDIT_WINDOW_DAYS' | 'AUDIT_WINDOW_ROWS' | 'REQUESTS_PER_TOKEN', string>>;

/** A value of the environment is not usable. Names the variable, never its value. */
class ConfigError extends Error {
  constructor(problem: string) {
    super(`configuration: ${problem}`);
    this.name = 'ConfigError';
  }
}

const octets32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '32 octets in base64url are expected');

const Jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  kid: z.string().min(1).max(64),
  x: octets32,
  d: octets32,
});

/** More keys than a rotation ever needs at once. */
const MAX_KEYS = 16;

const SealingKey = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'one to 64 of A-Z, a-z, 0-9, "_", "-" are expected'),
  key: octets32,
});

/** Text that holds JSON. */
const json = (expected: string) =>
  z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    }
  });

const whole = ({ least, most }: { readonly least: number; readonly most: number }) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'a number is expected')
    .transform(Number)
    .pipe(z.int().min(least).max(most));

const Raw = z.object({
  PUBLIC_URL: z.string().refine(isOrigin, 'an https:// address without a path is expected'),
  PUBLIC_CA: z.string().refine((pem) => pem === '' || isPem(pem), 'certificates in PEM are expected, or nothing'),
  AGENT_IMAGE: z.string().regex(/^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$/, 'an image reference is expected'),
  SIGNING_KEYS: json('a JSON array of private Ed25519 JWKs is expected').pipe(
    z
      .tuple([Jwk], Jwk)
      .refine((keys) => keys.length <= MAX_KEYS, `at most ${MAX_KEYS} keys are expected`)
      .refine((keys) => new Set(keys.map((key) => key.kid)).size === keys.length, 'every kid must be different'),
  ),
  SECRETS_KEYS: json('a JSON array of {id, key} is expected').pipe(
    z
      .tuple([SealingKey], SealingKey)
      .refine((keys) => keys.length <= MAX_KEYS, `at most ${MAX_KEYS} keys are expected`)
      .refine((keys) => new Set(keys.map((key) => key.id)).size === keys.length, 'every id must be different'),
  ),
  CLUSTER_ID_KEY: octets32,
  AUDIT_LEVEL: AuditLevel.default('Metadata'),
  AUDIT_WINDOW_DAYS: whole(AUDIT_DAYS).default(90),
  AUDIT_WINDOW_ROWS: whole(AUDIT_ROWS).default(100_000),
  REQUESTS_PER_TOKEN: whole({ least: 1, most: 1_000_000 }).optional(),
});

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'https:' && new URL(text).origin === text;
}

function isPem(text: string): boolean {
  const certificate = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g;
  return certificate.test(text) && text.replaceAll(certificate, '').trim() === '';
}

/** Checks the environment. @throws ConfigError one line that names the variable and what was expected */
export async function checkConfig(raw: RawConfig): Promise<Config> {
  const parsed = Raw.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${issue?.path.join('.') ?? 'environment'}: ${issue?.message ?? 'not valid'}`);
  }
  const { PUBLIC_URL, PUBLIC_CA, AGENT_IMAGE, SIGNING_KEYS, CLUSTER_ID_KEY, SECRETS_KEYS } = parsed.data;
  const [first, ...others] = SIGNING_KEYS;
  const [firstSealing, ...otherSealing] = SECRETS_KEYS;
  return {
    publicUrl: PUBLIC_URL,
    publicCa: PUBLIC_CA.trim() === '' ? null : `${PUBLIC_CA.trim()}\n`,
    signingKeys: [await importKey(first), ...(await Promise.all(others.map(importKey)))],
    clusterIdKey: await crypto.subtle.importKey(
      'raw',
      base64url.decode(CLUSTER_ID_KEY),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign', 'verify'],
    ),
    secretsKeys: [await importSealingKey(firstSealing), ...(await Promise.all(otherSealing.map(importSealingKey)))],
    agentImage: AGENT_IMAGE,
    requestsPerToken: parsed.data.REQUESTS_PER_TOKEN ?? null,
    audit: {
      level: parsed.data.AUDIT_LEVEL,
      window: { days: parsed.data.AUDIT_WINDOW_DAYS, rows: parsed.data.AUDIT_WINDOW_ROWS },
    },
  };
}

async function importKey({ kty, crv, kid, x, d }: z.infer<typeof Jwk>): Promise<SigningKey> {
  try {
    return {
      kid,
      x,
      privateKey: await crypto.subtle.importKey('jwk', { kty, crv, x, d }, 'Ed25519', false, ['sign']),
      publicKey: await crypto.subtle.importKey('jwk', { kty, crv, x }, 'Ed25519', false, ['verify']),
    };
  } catch {
    throw new ConfigError(`SIGNING_KEYS: the key ${JSON.stringify(kid)} is not an Ed25519 key`);
  }
}

async function importSealingKey({ id, key }: z.infer<typeof SealingKey>): Promise<SecretsKey> {
  const octets = base64url.decode(key);
  return { id, key: await crypto.subtle.importKey('raw', octets, 'AES-GCM', false, ['encrypt', 'decrypt']) };
}

let checked: Config | null = null;

/**
 * The configuration of this isolate, checked on first use. The value is kept and not its promise: a promise made in a request
 * that the runtime cancels would never settle for the others.
 */
export async function readConfig(env: RawConfig): Promise<Config> {
  checked ??= await checkConfig(env);
  return checked;
}

/** As {@link readConfig}, where it was read before; else null. A promise that is settled already still costs the request that waits for it. */
export const knownConfig = (): Config | null => checked;
