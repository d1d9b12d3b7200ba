/** The package brings no types; as far as it is used here. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  class OidcProvider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    /** The framework's context, before a request is looked at and after it was answered. */
    use(middleware: (context: { path: string; method: string }, next: () => Promise<void>) => Promise<void>): void;
  }
  export default OidcProvider;
}
