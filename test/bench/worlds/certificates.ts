import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAuthority, makeServerCertificate } from '#scripts/local/tls/issue.ts';

/** Files of what the programs of the bench serve and trust: ECDSA P-256 as the plane's own, for the same cost of a handshake. */
export interface Certificates {
  readonly ca: string;
  readonly caPem: string;
  readonly cert: string;
  readonly key: string;
  /** The bearer token that the peers ask for. */
  readonly tokenFile: string;
}

const TOKEN_BYTES = 32;

/** Makes them, new for every run, in a folder of this user alone. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const authority = await makeAuthority('Outrider bench CA');
  const server = await makeServerCertificate(authority, ['127.0.0.1', 'localhost']);
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    ca: await file('ca.crt', authority.certificate),
    caPem: authority.certificate,
    cert: await file('server.crt', server.certificate),
    key: await file('server.key', server.key),
    tokenFile: await file('token', randomBytes(TOKEN_BYTES).toString('base64url')),
  };
}
