import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Header, pack, type Pack } from 'tar-stream';

/** One entry of an image's file system. Its path is absolute; folders above it are made when they are not listed. */
export type ImageFile =
  | { path: string; mode: number; data: Uint8Array }
  | { path: string; link: string }
  | { path: string; mode: number; directory: true };

/** What the image's configuration says about running it (OCI image-spec, config.md). */
export type ImageConfig = {
  entrypoint?: readonly string[];
  cmd?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** `uid`, `uid:gid` or a name of the image's /etc/passwd; restricted pod security wants a number. */
  user?: string;
  workingDir?: string;
  labels?: Readonly<Record<string, string>>;
};

export type ImageSpec = {
  /** Full reference, such as `docker.io/local/pause:1`, or how it follows from the manifest's digest. containerd looks short names up under docker.io. */
  name: ImageName;
  /** As Go spells it. */
  architecture: 'amd64' | 'arm64';
  /** From the lowest layer up. */
  layers: readonly (readonly ImageFile[])[];
  config: ImageConfig;
};

export type ImageName = string | ((manifestDigest: string) => string);

/** What was written: its full reference, and digests as `sha256:<hex>`. */
export type WrittenImage = { name: string; manifestDigest: string; configDigest: string };

/** What tar-stream takes; it fills in the rest. */
type Headers = Partial<Header> & Pick<Header, 'name'>;

type Blob = { digest: string; size: number; chunks: readonly Uint8Array[] };

const MEDIA_TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** Every time in an archive: the same input has to give the same bytes. */
const EPOCH = new Date(0);

/**
 * Writes an image as an archive of an OCI image layout (image-spec, image-layout.md), which `ctr images import`,
 * `skopeo copy oci-archive:` and `podman load` read. Layers are not compressed: archives are made for one machine or
 * for a registry client that compresses by itself. The same spec gives the same bytes on every machine.
 */
export async function writeImage(file: string, spec: ImageSpec): Promise<WrittenImage> {
  const layers = await Promise.all(spec.layers.map(layerBlob));
  const config = jsonBlob(imageConfig(spec, layers));
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: descriptor(MEDIA_TYPES.config, config),
    layers: layers.map((layer) => descriptor(MEDIA_TYPES.layer, layer)),
  });
  const name = typeof spec.name === 'string' ? spec.name : spec.name(manifest.digest);
  const index = jsonBlob({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.index,
    manifests: [
      {
        ...descriptor(MEDIA_TYPES.manifest, manifest),
        annotations: {
          // containerd names an imported image by the first, other tools by the second.
          'io.containerd.image.name': name,
          'org.opencontainers.image.ref.name': name,
        },
        platform: { os: 'linux', architecture: spec.architecture },
      },
    ],
  });

  const entries = new Map<string, Blob>([
    ['oci-layout', jsonBlob({ imageLayoutVersion: '1.0.0' })],
    ['index.json', index],
    ...[...layers, config, manifest].map((blob): [string, Blob] => [blobPath(blob.digest), blob]),
  ]);
  await writeArchive(file, entries);
  return { name, manifestDigest: manifest.digest, configDigest: config.digest };
}

/** Node's name of this machine's processor as Go and OCI spell it. */
export function imageArchitecture(arch: string = process.arch): ImageSpec['architecture'] {
  if (arch === 'x64') return 'amd64';
  if (arch === 'arm64') return 'arm64';
  throw new Error(`no images are built for processor architecture ${arch}`);
}

function imageConfig(spec: ImageSpec, layers: readonly Blob[]): unknown {
  const { entrypoint, cmd, env, user, workingDir, labels } = spec.config;
  return {
    created: EPOCH.toISOString(),
    architecture: spec.architecture,
    os: 'linux',
    config: {
      ...(user !== undefined && { User: user }),
      ...(env && { Env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }),
      ...(entrypoint && { Entrypoint: entrypoint }),
      ...(cmd && { Cmd: cmd }),
      ...(workingDir !== undefined && { WorkingDir: workingDir }),
      ...(labels && { Labels: labels }),
    },
    // The digest of the uncompressed layer, which here is the layer itself.
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: EPOCH.toISOString(), created_by: 'outrider' })),
  };
}

async function layerBlob(files: readonly ImageFile[]): Promise<Blob> {
  const archive = pack();
  const blob = collect(archive);
  for (const file of withParents(files)) {
    const name = file.path.slice(1);
    if ('data' in file) await addEntry(archive, { ...header(name, file.mode), type: 'file' }, [file.data]);
    else if ('link' in file) await addEntry(archive, { ...header(name, 0o777), type: 'symlink', linkname: file.link });
    else await addEntry(archive, { ...header(`${name}/`, file.mode), type: 'directory' });
  }
  archive.finalize();
  return blob;
}

/** The files sorted by path, so that a folder comes before what is in it, with every missing folder added. */
function withParents(files: readonly ImageFile[]): ImageFile[] {
  const byPath = new Map<string, ImageFile>();
  for (const file of files) {
    const { path } = file;
    if (!path.startsWith('/') || path === '/' || posix.normalize(path) !== path || path.endsWith('/')) {
      throw new Error(`not a plain absolute path in an image: ${path}`);
    }
    if (byPath.has(path)) throw new Error(`twice in one layer: ${path}`);
    byPath.set(path, file);
  }
  for (const { path } of files) {
    for (let parent = posix.dirname(path); parent !== '/'; parent = posix.dirname(parent)) {
      if (!byPath.has(parent)) byPath.set(parent, { path: parent, mode: 0o755, directory: true });
    }
  }
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function writeArchive(file: string, entries: ReadonlyMap<string, Blob>): Promise<void> {
  const aside = `${file}.${process.pid}.tmp`;
  const archive = pack();
  const written = pipeline(archive, createWriteStream(aside));
  void (async () => {
    for (const [name, blob] of entries) {
      await addEntry(archive, { ...header(name, 0o644), type: 'file', size: blob.size }, blob.chunks);
    }
    archive.finalize();
  })().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    await written;
    await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
}

function addEntry(archive: Pack, headers: Headers, chunks: readonly Uint8Array[] = []): Promise<void> {
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => (error ? reject(error) : resolve());
    if (headers.type !== 'file') {
      archive.entry(headers, done);
      return;
    }
    const entry = archive.entry({ ...headers, size }, done);
    for (const chunk of chunks) entry.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    entry.end(null);
  });
}

function header(name: string, mode: number): Headers {
  return { name, mode, mtime: EPOCH, uid: 0, gid: 0, uname: '', gname: '' };
}

async function collect(archive: Pack): Promise<Blob> {
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of archive) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a tar stream consists of bytes');
    hash.update(chunk);
    chunks.push(chunk);
    size += chunk.byteLength;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size, chunks };
}

function jsonBlob(value: unknown): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length, chunks: [bytes] };
}

function descriptor(mediaType: string, blob: Blob): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: blob.digest, size: blob.size };
}

function blobPath(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}
