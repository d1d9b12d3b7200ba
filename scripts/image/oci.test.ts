import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageArchitecture, type ImageSpec, writeImage } from './oci.ts';

type Entry = { header: Header; data: Buffer };

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'oci-'))));
afterAll(() => rm(dir, { recursive: true }));

const big = Buffer.alloc(300_000, 'outrider');
const spec: ImageSpec = {
  name: 'docker.io/local/example:1',
  architecture: 'amd64',
  layers: [
    [
      { path: '/usr/bin/tool', mode: 0o755, data: big },
      { path: '/bin', link: 'usr/bin' },
      { path: '/tmp', mode: 0o1777, directory: true },
    ],
    [{ path: '/etc/empty', mode: 0o600, data: new Uint8Array() }],
  ],
  config: {
    entrypoint: ['/usr/bin/tool'],
    cmd: ['--x'],
    env: { PATH: '/bin' },
    user: '65532:65532',
    labels: { a: 'b' },
  },
};

test('the same spec gives the same bytes, in whatever order its files are listed', async () => {
  const reordered = { ...spec, layers: spec.layers.map((layer) => layer.toReversed()) };
  await writeImage(join(dir, 'a.tar'), spec);
  await writeImage(join(dir, 'b.tar'), reordered);
  expect(sha256(await readFile(join(dir, 'a.tar')))).toBe(sha256(await readFile(join(dir, 'b.tar'))));
});

test('a changed byte in a file changes the manifest digest', async () => {
  const before = await writeImage(join(dir, 'a.tar'), spec);
  const layers = [[{ path: '/usr/bin/tool', mode: 0o755, data: Buffer.from('other') }]];
  const after = await writeImage(join(dir, 'b.tar'), { ...spec, layers });
  expect(after.manifestDigest).not.toBe(before.manifestDigest);
});

test('a name may follow from what is in the image, which it is no part of', async () => {
  const name = (digest: string): string => `docker.io/local/example:${digest.slice(-12)}`;
  const { manifestDigest } = await writeImage(join(dir, 'a.tar'), spec);
  const written = await writeImage(join(dir, 'b.tar'), { ...spec, name });
  expect(written).toMatchObject({ manifestDigest, name: name(manifestDigest) });
  const index = JSON.parse(text(await readTar(createReadStream(join(dir, 'b.tar'))), 'index.json'));
  expect(index.manifests[0].annotations['io.containerd.image.name']).toBe(name(manifestDigest));
});

test('an archive is an OCI layout whose every blob is named by its digest and described by its size', async () => {
  const written = await writeImage(join(dir, 'a.tar'), spec);
  const entries = await readTar(createReadStream(join(dir, 'a.tar')));
  for (const [name, { data }] of entries) {
    if (name.startsWith('blobs/')) expect(name).toBe(`blobs/sha256/${sha256(data)}`);
  }

  expect(JSON.parse(text(entries, 'oci-layout'))).toEqual({ imageLayoutVersion: '1.0.0' });
  const [described] = JSON.parse(text(entries, 'index.json')).manifests;
  expect(described.digest).toBe(written.manifestDigest);
  expect(described.annotations['io.containerd.image.name']).toBe('docker.io/local/example:1');
  const manifest = JSON.parse(text(entries, blob(described.digest)));
  for (const { digest, size } of [manifest.config, ...manifest.layers]) {
    expect(entries.get(blob(digest))?.data.length).toBe(size);
  }
  const config = JSON.parse(text(entries, blob(manifest.config.digest)));
  expect(config.rootfs.diff_ids).toEqual(manifest.layers.map((layer: { digest: string }) => layer.digest));
  expect(config.config).toEqual({
    User: '65532:65532',
    Env: ['PATH=/bin'],
    Entrypoint: ['/usr/bin/tool'],
    Cmd: ['--x'],
    Labels: { a: 'b' },
  });
});

test('a layer has folders before their files, owned by root, at time zero', async () => {
  await writeImage(join(dir, 'a.tar'), spec);
  const entries = await readTar(createReadStream(join(dir, 'a.tar')));
  const [described] = JSON.parse(text(entries, 'index.json')).manifests;
  const [layer] = JSON.parse(text(entries, blob(described.digest))).layers;
  const files = await readTar(Readable.from([entries.get(blob(layer.digest))?.data]));

  expect([...files.keys()]).toEqual(['bin', 'tmp/', 'usr/', 'usr/bin/', 'usr/bin/tool']);
  for (const { header } of files.values()) {
    expect(header).toMatchObject({ uid: 0, gid: 0, mtime: new Date(0) });
  }
  expect(files.get('bin')?.header).toMatchObject({ type: 'symlink', linkname: 'usr/bin' });
  expect(files.get('tmp/')?.header.mode).toBe(0o1777);
  expect(files.get('usr/bin/tool')?.data.equals(big)).toBe(true);
});

test.each(['relative', '/a/../b', '/', '/trailing/', '//double'])('the path %s is refused', async (path) => {
  const layers = [[{ path, mode: 0o644, data: new Uint8Array() }]];
  await expect(writeImage(join(dir, 'bad.tar'), { ...spec, layers })).rejects.toThrow('not a plain absolute path');
});

test('a path listed twice in one layer is refused', async () => {
  const file = { path: '/a', mode: 0o644, data: new Uint8Array() };
  await expect(writeImage(join(dir, 'bad.tar'), { ...spec, layers: [[file, file]] })).rejects.toThrow('twice');
});

test('a failed write is an error and leaves no file', async () => {
  await expect(writeImage(join(dir, 'no', 'such', 'a.tar'), spec)).rejects.toThrow('ENOENT');
});

test('processor architectures are spelt as Go spells them', () => {
  expect([imageArchitecture('x64'), imageArchitecture('arm64')]).toEqual(['amd64', 'arm64']);
  expect(() => imageArchitecture('mips')).toThrow('mips');
});

async function readTar(source: Readable): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of source.pipe(extract())) {
    entries.set(entry.header.name, { header: entry.header, data: await buffer(entry) });
  }
  return entries;
}

function text(entries: Map<string, Entry>, name: string): string {
  return entries.get(name)?.data.toString('utf8') ?? '';
}

function blob(digest: string): string {
  return `blobs/sha256/${digest.replace('sha256:', '')}`;
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
