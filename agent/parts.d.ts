/** Files of packages that are imported by themselves, since the package's index brings much more than the agent uses; typed as the index is, as far as it is used. */

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

declare module 'prom-client/lib/counter.js' {
  import { Counter } from 'prom-client';

  export default Counter;
}

declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client';

  export default Gauge;
}

declare module 'prom-client/lib/histogram.js' {
  import { Histogram } from 'prom-client';

  export default Histogram;
}

declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';

  export default Registry;
}
