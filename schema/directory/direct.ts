import * as z from 'zod';
import { plain } from '../audit/redact.ts';
import { ClusterId } from '../ids.ts';
import type { DirectoryConfig } from './config.ts';

/** Who asks a directory. */
export const DirectoryVia = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z
      .literal('cluster')
      .describe(
        'The agent of a cluster asks: for a directory with a private authority or a private address. Whoever administers that cluster could see the passwords of all who sign in here, in passing',
      ),
    cluster: plain(ClusterId),
  }),
  z.strictObject({
    kind: z
      .literal('direct')
      .describe(
        'The plane asks, over the internet: passwords pass through the plane and the directory alone. The directory needs a public name, one of the ports 636, 3269 (ldaps), 389, 3268 (starttls), and a certificate that the public trusts for that name',
      ),
  }),
]);
export type DirectoryVia = z.output<typeof DirectoryVia>;

/** IANA's for LDAP, and those of a global catalog (MS-ADTS §2.1): whoever configures a directory has the plane dial nothing else. */
const PORTS: Readonly<Record<DirectoryConfig['security'], readonly number[]>> = {
  ldaps: [636, 3269],
  starttls: [389, 3268],
};

/** Names that are never public: RFC 6761, 6762 with its appendix G, 7686, 8375; `internal` by ICANN's board, 2024. */
const NEVER_PUBLIC =
  /(?:^|\.)(?:localhost|local|internal|invalid|test|onion|home\.arpa|intranet|private|corp|home|lan)$/i;

/** The last label of a public name has letters alone, or is an encoded one. Others are addresses, in decimal, octal or hexadecimal (RFC 3986 §7.4). */
const PUBLIC_NAME = /\.(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/i;

/** What of a configuration says where the plane would dial. */
export interface Dialled extends Readonly<Pick<DirectoryConfig, 'port' | 'security' | 'ca'>> {
  readonly servers: readonly string[];
}

/**
 * Why the plane itself must not dial a directory, as far as a configuration tells; null: nothing is against it. That a public name leads to a private address nobody can tell beforehand: the
 * runtime refuses that when it is dialled (on one machine: workerd, which reaches `public` networks; at the edge: Cloudflare).
 */
export function directFault({ servers, port, security, ca }: Dialled): { path: string[]; message: string } | null {
  const notPublic = servers.findIndex((server) => !PUBLIC_NAME.test(server) || NEVER_PUBLIC.test(server));
  if (notPublic >= 0) {
    return { path: ['servers', String(notPublic)], message: 'asked directly, a server needs a public name' };
  }
  if (!PORTS[security].includes(port)) {
    return { path: ['port'], message: `asked directly by ${security}, must be ${PORTS[security].join(' or ')}` };
  }
  if (ca === null) return null;
  return { path: ['ca'], message: 'asked directly, a directory needs a certificate that the public trusts' };
}
