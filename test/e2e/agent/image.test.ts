import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { writeAgentImage } from '#scripts/image/agent.ts';
import { bundleAgent } from '#scripts/image/bundle.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outrider-image-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

const Config = z.object({
  config: z.object({ User: z.string(), Env: z.array(z.string()), Entrypoint: z.array(z.string()) }),
});

/** The image's configuration, found by its digest. */
async function configOf(file: string, digest: string): Promise<z.infer<typeof Config>['config']> {
  const wanted = `blobs/sha256/${digest.slice('sha256:'.length)}`;
  const archive = createReadStream(file).pipe(extract());
  for await (const entry of archive) {
    if (entry.header.name === wanted) return Config.parse(JSON.parse(await text(entry))).config;
    entry.resume();
  }
  throw new Error('no configuration in the archive');
}

it('gives the same octets for the same sources', async () => {
  const files = [join(dir, 'one.tar'), join(dir, 'two.tar')];
  for (const file of files) await writeAgentImage({ file, name: 'docker.io/outrider/agent:test' });
  const [one, two] = await Promise.all(files.map((file) => sha256(file)));
  expect(one).toBe(two);
});

it('runs as a user who is nobody, with the same flags in both ways to build it', async () => {
  const file = join(dir, 'config.tar');
  const { configDigest } = await writeAgentImage({ file, name: 'docker.io/outrider/agent:test' });
  const { User, Env, Entrypoint } = await configOf(file, configDigest);
  expect(User).toBe('65532:65532');
  const dockerfile = await readFile(
    join(import.meta.dirname, '..', '..', '..', 'agent', 'deploy', 'Dockerfile'),
    'utf8',
  );
  const entrypoint = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  expect(Entrypoint.slice(1)).toEqual(entrypoint.slice(1));
  for (const variable of Env) expect(dockerfile).toContain(`ENV ${variable}`);
});

it('holds one module that names no folder of the machine that built it', async () => {
  const { code } = await bundleAgent();
  const source = Buffer.from(code).toString('utf8');
  for (const folder of [process.cwd(), tmpdir(), process.env['HOME'] ?? '/nowhere'])
    expect(source).not.toContain(`${folder}/`);
});
