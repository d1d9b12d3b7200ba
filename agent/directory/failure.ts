import { DirectoryFailure } from '#ldap/failure.ts';
import { describeError } from '../log.ts';

/** Errors of Node and OpenSSL that are about the certificate, or the lack of TLS. */
const TLS = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ERR_TLS|ERR_SSL|EPROTO/;

/** Why no connection came about. */
export function connectFailure(error: unknown, server: string): DirectoryFailure {
  if (error instanceof DirectoryFailure) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (TLS.test(code)) return new DirectoryFailure('untrusted', `${server}: ${WHY[code] ?? code}`, true);
  return new DirectoryFailure('unreachable', `${server}: ${describeError(error)}`, true);
}

const WHY: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not of the given authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not of the given authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not of the given authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not of the given authority',
  CERT_SIGNATURE_FAILURE: 'its certificate is not of the given authority',
  EPROTO: 'it does not speak TLS',
};
