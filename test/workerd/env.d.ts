import type { D1Migration } from '@cloudflare/vitest-plugin';

declare global {
  namespace Cloudflare {
    interface Env {
      /** What `readD1Migrations` read in vitest.config.ts, for setup.ts to apply: a test in workerd has no file system. */
      MIGRATIONS: D1Migration[];
      /** As vitest.config.ts gives it; a deployment may have none. */
      AUDIT_BUCKET: R2Bucket;
    }
  }
}
