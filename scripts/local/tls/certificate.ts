import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { PUBLIC_MODE, readIfThere, writeWhole } from '../state/data-dir.ts';
import type { DataDir } from '../state/data-dir.ts';
import { Problem, reasonOf } from '../../lib/problem.ts';
import type { KeyPairPem } from './issue.ts';

/** A server certificate is replaced this long before it ends: a plane that is restarted once a month never serves an expired one. */
const RENEW_BEFORE_MS = 30 * 86_400_000;

/** What the plane's socket serves, and what its clients are told to trust. */
export interface ServerCertificate {
  /** Chain in PEM, the server's own first. */
  readonly chain: string;
  /** Private key in PEM. */
  readonly key: string;
  /** CA in PEM that clients need, or empty when the public ones will do. */
  readonly ca: string;
  /** The same in a file, or null. */
  readonly caFile: string | null;
  /** Whether another should take its place by now. */
  needsRenewal(now?: Date): boolean;
}

const certificatesIn = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];

const nearEnd = (certificate: X509Certificate, now: Date): boolean =>
  certificate.validToDate.getTime() - now.getTime() < RENEW_BEFORE_MS;

/** Whether a certificate is good for a host name or an address. */
function covers(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}

/**
 * The plane's own CA and server certificate, made on the first run. A server certificate is made anew when it lacks one of the names or is
 * about to end; the CA stays, so clients notice nothing.
 */
export async function ownCertificate(dir: DataDir, names: readonly string[]): Promise<ServerCertificate> {
  const authority = await loadAuthority(dir);
  const paths = { certificate: join(dir.tls, 'server.crt'), key: join(dir.tls, 'server.key') };
  let server = await loadPair(paths);
  if (!server || !serves(server, authority, names)) {
    const { makeServerCertificate } = await import('./issue.ts');
    server = await makeServerCertificate(authority, names);
    await writeWhole(paths.key, server.key);
    await writeWhole(paths.certificate, server.certificate, PUBLIC_MODE);
  }
  const parsed = new X509Certificate(server.certificate);
  return {
    chain: server.certificate,
    key: server.key,
    ca: authority.certificate,
    caFile: dir.caFile,
    needsRenewal: (now = new Date()) => nearEnd(parsed, now),
  };
}

async function loadAuthority(dir: DataDir): Promise<KeyPairPem> {
  const paths = { certificate: dir.caFile, key: join(dir.tls, 'ca.key') };
  const [certificate, key] = [await readIfThere(paths.certificate), await readIfThere(paths.key)];
  // The key is written first, so a key alone is what a crash leaves: nobody has seen its certificate.
  if (certificate === undefined) {
    const { makeAuthority } = await import('./issue.ts');
    const authority = await makeAuthority('Outrider local CA');
    await writeWhole(paths.key, authority.key);
    await writeWhole(paths.certificate, authority.certificate, PUBLIC_MODE);
    return authority;
  }
  if (key === undefined || !matches({ certificate, key })) {
    throw new Problem(
      `${paths.certificate} and ${paths.key} do not belong together: restore both from a backup, or remove both (kubeconfigs and agents then need the new CA)`,
    );
  }
  return { certificate, key };
}

async function loadPair(paths: KeyPairPem): Promise<KeyPairPem | undefined> {
  const [certificate, key] = [await readIfThere(paths.certificate), await readIfThere(paths.key)];
  return certificate !== undefined && key !== undefined && matches({ certificate, key })
    ? { certificate, key }
    : undefined;
}

function matches(pair: KeyPairPem): boolean {
  try {
    return new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key));
  } catch {
    return false;
  }
}

function serves(server: KeyPairPem, authority: KeyPairPem, names: readonly string[]): boolean {
  const certificate = new X509Certificate(server.certificate);
  const issuer = new X509Certificate(authority.certificate);
  return (
    certificate.verify(issuer.publicKey) &&
    !nearEnd(certificate, new Date()) &&
    names.every((name) => covers(certificate, name))
  );
}

/**
 * A certificate that the person has. Where its chain ends in a root that is not a public one, clients are given that root.
 *
 * @throws {Problem} when a file is unreadable, the two do not match, the certificate has ended, or does not name the host.
 */
export async function givenCertificate(
  dir: DataDir,
  { certificateFile, keyFile }: { certificateFile: string; keyFile: string },
  host: string,
): Promise<ServerCertificate> {
  const [chain, key] = [await readGiven(certificateFile, '--cert'), await readGiven(keyFile, '--key')];
  const leaf = parse(certificatesIn(chain)[0], certificateFile);
  if (!matches({ certificate: leaf.toString(), key })) {
    throw new Problem(
      `the key in ${keyFile} is not an unencrypted PEM key of the certificate in ${certificateFile}: give the pair that belongs together`,
    );
  }
  if (leaf.validToDate < new Date()) {
    throw new Problem(`the certificate in ${certificateFile} ended on ${leaf.validTo}: give one that is valid`);
  }
  if (!covers(leaf, host)) {
    throw new Problem(
      `the certificate in ${certificateFile} is not for ${host} (it is for ${leaf.subjectAltName ?? 'no name'}): set --url to a name that it has`,
    );
  }
  const last = parse(certificatesIn(chain).at(-1), certificateFile);
  const selfSigned = last.checkIssued(last) && last.verify(last.publicKey);
  const isPublic = rootCertificates.some((root) => new X509Certificate(root).fingerprint256 === last.fingerprint256);
  const ca = selfSigned && !isPublic ? `${last.toString().trimEnd()}\n` : '';
  const caFile = ca === '' ? null : join(dir.tls, 'given-ca.crt');
  if (caFile !== null) await writeWhole(caFile, ca, PUBLIC_MODE);
  return {
    chain,
    key,
    ca,
    caFile,
    // Replacing it is the person's: a restart reads the file again.
    needsRenewal: () => false,
  };
}

async function readGiven(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Problem(`cannot read ${path} (${reasonOf(error)}): give ${option} a PEM file that is readable`, {
      cause: error,
    });
  }
}

function parse(pem: string | undefined, path: string): X509Certificate {
  try {
    if (pem === undefined) throw new Error('no CERTIFICATE block');
    return new X509Certificate(pem);
  } catch (error) {
    throw new Problem(`${path} holds no certificate in PEM (${reasonOf(error)}): give --cert a PEM file`, {
      cause: error,
    });
  }
}
