/** Octets that no two places share by chance: what is lost, doubled or out of order is seen. */
const PATTERN = new Uint8Array(2 * 1024 * 1024);
for (let i = 0, state = 1; i < PATTERN.length; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  PATTERN[i] = state >>> 24;
}

/** Where the content of a key begins. */
function place(key: string): number {
  let hash = 7;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) >>> 0;
  return hash % (PATTERN.length / 2);
}

/** `size` octets of content, from `at` on, at most 1 MiB in all; each key's are its own. */
export function contentOf(key: string, size: number, at = 0): Uint8Array {
  const from = place(key) + at;
  return PATTERN.slice(from, from + size);
}

/** Whether `data` is the key's content from `at` on. */
export function sameContent(key: string, at: number, data: Uint8Array): boolean {
  const from = place(key) + at;
  return Buffer.compare(PATTERN.subarray(from, from + data.byteLength), data) === 0;
}
