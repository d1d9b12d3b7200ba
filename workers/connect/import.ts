import { RegistrationSecret } from '#schema/api/clusters/connect.ts';
import { hashSecret } from '../authn/secret.ts';
import type { Config } from '../env.ts';
import { findRegistrationToken } from '../store/registration-tokens.ts';
import { manifest } from './manifest/manifest.ts';

/** Where manifests are: `/import/<token>.yaml`. */
export const IMPORT_PREFIX = '/import/';

/** No copy of a token stays anywhere on the way. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

/** Said in comments: whatever reads it as YAML finds an empty document. */
const UNKNOWN = `# This import address is not known, has expired (it lasts an hour) or was taken back.
# Make a new registration token for the cluster, and use the address that comes with it.
`;
const NO_PARAMETERS = `# This address takes no query parameters. Use it as it was printed.
`;

const text = (body: string, status: number): Response =>
  new Response(body, { status, headers: { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' } });

/** `GET /import/<token>.yaml`: the manifest for the token's cluster. It takes no parameter, so nothing can be smuggled into it (CVE-2026-44939). */
export async function importManifest(
  request: Request,
  { db, config, now }: { db: D1Database; config: Config; now: number },
): Promise<Response> {
  const url = new URL(request.url);
  if (url.search !== '') return text(NO_PARAMETERS, 400);
  const secret = RegistrationSecret.safeParse(/^\/import\/([^/]+)\.yaml$/.exec(url.pathname)?.[1]);
  const token = secret.success ? await findRegistrationToken(db, await hashSecret(secret.data), now) : null;
  if (!secret.success || token === null) return text(UNKNOWN, 404);
  const body = await manifest({
    cluster: { id: token.cluster, name: token.clusterName },
    server: config.publicUrl,
    ca: config.publicCa,
    image: config.agentImage,
    registrationToken: secret.data,
  });
  return new Response(body, { headers: { ...HEADERS, 'content-type': 'application/yaml' } });
}
