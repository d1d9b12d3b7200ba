import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAgentImage } from '../../image/agent.ts';

/** How much of a digest names an image: enough that two of one machine never meet. */
const DIGEST_DIGITS = 12;

/** The agent's image, as this checkout makes it. */
export interface DemoImage {
  /** Path of an OCI archive. */
  readonly archive: string;
  /** Full reference: what the manifest names. */
  readonly name: string;
  /** Of its manifest: `sha256:<hex>`. */
  readonly digest: string;
}

/**
 * Builds the agent's image, which takes a second. Its tag is its digest, so that agents of a changed checkout replace the ones that run.
 *
 * @param given the name to have instead
 */
export async function buildDemoImage(dataDir: string, given: string | undefined): Promise<DemoImage> {
  const folder = join(dataDir, 'demo');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const archive = join(folder, 'agent.tar');
  const byDigest = (digest: string): string =>
    `docker.io/outrider/agent:demo-${digest.replace('sha256:', '').slice(0, DIGEST_DIGITS)}`;
  const { name, manifestDigest } = await writeAgentImage({ file: archive, name: given ?? byDigest });
  return { archive, name, digest: manifestDigest };
}
