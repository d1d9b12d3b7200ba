import type { Archive } from './window.ts';

/** Where events go that leave the database: a bucket; or, on one machine, a folder; null: nowhere. */
export function archiveOf(env: Pick<Env, 'AUDIT_BUCKET' | 'AUDIT_FOLDER'>): Archive | null {
  const folder = env.AUDIT_FOLDER;
  return (
    env.AUDIT_BUCKET ?? (folder === undefined ? null : { put: async (key, content) => await put(folder, key, content) })
  );
}

/** A folder as workerd serves one (`workerd.capnp`, `DiskDirectory`): PUT writes a file whole or not at all, and makes the folders above it. */
async function put(folder: Fetcher, key: string, content: ArrayBuffer): Promise<void> {
  const { ok, status } = await folder.fetch(`http://audit/${key}`, { method: 'PUT', body: content });
  if (!ok) throw new Error(`the folder of the audit log answered ${status}`);
}
