/** Files of undici that are imported by themselves, since its index brings fetch, caches and mocks with it; typed as its index is, as far as they are used. */

declare module 'undici/lib/core/connect.js' {
  import type { buildConnector } from 'undici';

  function connect(options?: buildConnector.BuildOptions): buildConnector.connector;
  export default connect;
}

declare module 'undici/lib/dispatcher/pool.js' {
  import type { Dispatcher, Pool as FullPool } from 'undici';

  /** Without `request` and its like, which only the index adds. */
  class Pool {
    constructor(origin: string, options?: FullPool.Options);
    dispatch: Dispatcher['dispatch'];
    destroy(): Promise<void>;
  }
  export default Pool;
}
