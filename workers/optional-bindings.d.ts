/** Bindings that a deployment may leave out, beside those that wrangler reads from wrangler.toml. */
interface Env {
  /** Where audit events go that leave the database. */
  AUDIT_BUCKET?: R2Bucket;
  AUDIT_LEVEL?: string;
  AUDIT_WINDOW_DAYS?: string;
  AUDIT_WINDOW_ROWS?: string;
  REQUESTS_PER_TOKEN?: string;
}
