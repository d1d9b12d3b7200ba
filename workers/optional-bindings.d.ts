/** Bindings that a deployment may leave out, beside those that wrangler reads from wrangler.toml. */
interface Env {
  /** Where audit events go that leave the database. */
  AUDIT_BUCKET?: R2Bucket;
  /** The same on one machine: a folder, as workerd serves it. */
  AUDIT_FOLDER?: Fetcher;
  AUDIT_LEVEL?: string;
  AUDIT_WINDOW_DAYS?: string;
  AUDIT_WINDOW_ROWS?: string;
  REQUESTS_PER_TOKEN?: string;
}
