import { isIP } from 'node:net';
import { RotatedFile } from './files.ts';

/** Where the API server is and by which CA it is known. */
export interface ApiServer {
  /** `https://host:port`. */
  readonly origin: string;
  readonly hostname: string;
  readonly port: number;
  /** For SNI and the certificate's name; '' for an address, which TLS does not send (RFC 6066 §3). */
  readonly servername: string;
  /** The CA bundle that its certificate must chain to (PEM), at most a minute old. */
  ca(): Promise<string>;
}

/** @param url https origin; checked by `config.ts`. */
export function apiServer(url: string, caFile: string): ApiServer {
  const { hostname, port, host } = new URL(url);
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const file = new RotatedFile(caFile);
  return {
    origin: `https://${host}`,
    hostname: bare,
    port: port === '' ? 443 : Number(port),
    servername: isIP(bare) === 0 ? bare : '',
    ca: () => file.read(),
  };
}
