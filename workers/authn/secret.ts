import { base64url } from 'jose';

/** What is kept of a random secret, and what it is looked up by: SHA-256 in base64url. A slow hash is for what people choose; this has 160 bits. */
export async function hashSecret(secret: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret))));
}
