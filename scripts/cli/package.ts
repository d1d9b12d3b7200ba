import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { z } from 'zod';
import { PROJECT } from '../lib/project.ts';
import { bundleCli } from './bundle.ts';

const packageFile = z.object({ version: z.string(), license: z.string() });
const dependencyFile = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** What people read on the package's page. */
const README = `# outrider

Reach Kubernetes clusters through an Outrider plane, with the kubectl that you have.

    npx outrider login --server https://plane.example.com
    npm install --global outrider
    outrider kubeconfig add prod-eu --use
    kubectl get pods

\`outrider --help\` lists the commands. Node.js 20 or later.
`;

/**
 * Writes the npm package of the CLI, whole and ready for `npm pack`: one file without dependencies, and the licences of what is in it.
 *
 * @returns the path of the program
 */
export async function writeCliPackage(folder: string): Promise<string> {
  const { version, license } = packageFile.parse(JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')));
  const { code, metafile } = await bundleCli();
  const manifest = {
    name: 'outrider',
    version,
    description: 'Reach Kubernetes clusters through an Outrider plane',
    license,
    type: 'module',
    bin: { outrider: 'outrider.mjs' },
    files: ['outrider.mjs', 'THIRD-PARTY-LICENSES.txt'],
    engines: { node: '>=20' },
    keywords: ['kubernetes', 'kubectl', 'kubeconfig'],
  };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const program = join(folder, 'outrider.mjs');
  await writeFile(program, code, { mode: 0o755 });
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(folder, 'README.md'), README);
  await writeFile(join(folder, 'LICENSE'), await readFile(join(PROJECT, 'LICENSE')));
  await writeFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), await licences(metafile));
  return program;
}

/** The licence of each package of which something is in the bundle: most ask that their text goes along. */
async function licences({ outputs }: Metafile): Promise<string> {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = new Set(
    inputs
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .flatMap(([path]) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  const texts = await Promise.all(
    [...folders].toSorted().map(async (path) => {
      const folder = join(PROJECT, path);
      const about = dependencyFile.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
      const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
      const text = file === undefined ? '' : `\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`;
      return `${about.name} ${about.version} (${about.license})\n${text}`;
    }),
  );
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
