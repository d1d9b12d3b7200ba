import { join } from 'node:path';
import { buildGoTools } from '#scripts/demo/tools/go.ts';

/** The Go programs of the bench: each is a main package in the folder of its name. */
const NAMES = ['backend', 'load', 'remotedialer', 'konnectivity', 'delay'] as const;

/** As the `go` line of `programs/go.mod` asks, for the sake of remotedialer: newer than what builds the rest. */
const TOOLCHAIN = 'go1.27.3';

/** Paths of the built programs. */
export type Programs = Readonly<Record<(typeof NAMES)[number], string>>;

export const PROGRAMS_MODULE = join(import.meta.dirname, '..', 'programs');

/** Builds the programs if the cache lacks them as they are now. */
export async function installPrograms(log: (line: string) => void): Promise<Programs> {
  const { binDir } = await buildGoTools(
    {
      name: 'bench',
      version: '1',
      moduleDir: PROGRAMS_MODULE,
      packages: NAMES.map((name) => `./${name}`),
      toolchain: TOOLCHAIN,
    },
    log,
  );
  const at = (name: string): string => join(binDir, name);
  return {
    backend: at('backend'),
    load: at('load'),
    remotedialer: at('remotedialer'),
    konnectivity: at('konnectivity'),
    delay: at('delay'),
  };
}
