import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import { SECRET_MODE, readIfThere, writeWhole } from './data-dir.ts';
import { Problem } from '../../lib/problem.ts';

/** RFC 8037 §2: 32 bytes, base64url without padding. */
const key32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const signingKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  kid: z.string().min(1),
  alg: z.literal('EdDSA'),
  x: key32,
  d: key32,
});

const sealingKey = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), key: key32 });

const secretsSchema = z.strictObject({
  /** The first signs, all verify: put a new key first to rotate. */
  signingKeys: z.array(signingKey).min(1),
  /** Authenticates cluster ids. */
  clusterIdKey: key32,
  /** Seal secrets in the database. The first seals, all open: put a new key first to rotate. */
  secretsKeys: z.array(sealingKey).min(1),
});

/** A file of a version that sealed nothing yet. */
const olderSchema = secretsSchema.omit({ secretsKeys: true });

/** A private Ed25519 JWK (RFC 8037). */
export type SigningKey = z.infer<typeof signingKey>;
/** What a plane must keep to itself and must not lose. */
export type Secrets = z.infer<typeof secretsSchema>;

async function makeSecrets(): Promise<Secrets> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  const key = signingKey.parse({ ...jwk, alg: 'EdDSA', kid: await calculateJwkThumbprint(jwk) });
  return { signingKeys: [key], clusterIdKey: randomKey(), secretsKeys: [makeSealingKey()] };
}

const randomKey = (): string => randomBytes(32).toString('base64url');
const makeSealingKey = (): z.infer<typeof sealingKey> => ({
  id: randomBytes(6).toString('base64url'),
  key: randomKey(),
});

const write = async (path: string, secrets: Secrets): Promise<void> =>
  writeWhole(path, `${JSON.stringify(secrets, undefined, 2)}\n`);

/**
 * Reads the plane's secrets, or makes them on the first run. A file of an older version gains what is new.
 *
 * @throws {Problem} when the file is damaged: new keys would cut off every agent and token in silence.
 */
export async function loadSecrets(path: string): Promise<Secrets> {
  const text = await readIfThere(path);
  if (text === undefined) {
    const secrets = await makeSecrets();
    await write(path, secrets);
    return secrets;
  }
  await chmod(path, SECRET_MODE);
  const { secrets, isOlder } = read(path, text);
  if (isOlder) await write(path, secrets);
  return secrets;
}

function read(path: string, text: string): { secrets: Secrets; isOlder: boolean } {
  try {
    const value: unknown = JSON.parse(text);
    const older = olderSchema.safeParse(value);
    if (older.success) return { secrets: { ...older.data, secretsKeys: [makeSealingKey()] }, isOlder: true };
    return { secrets: secretsSchema.parse(value), isOlder: false };
  } catch {
    // The cause is left out on purpose: it may quote the file.
    throw new Problem(
      `${path} is damaged: restore it from a backup (without it, agents and tokens of this plane are lost)`,
    );
  }
}
