import { join } from 'node:path';
import { buildGoTools } from '#scripts/demo/tools/go.ts';

/** As `clientgo/go.mod` pins it. */
const VERSION = '0.34.2';

/** Builds the test program over client-go if the cache lacks it. @returns its path. */
export async function installClientGo(log: (line: string) => void): Promise<string> {
  const { binDir } = await buildGoTools(
    { name: 'clientgo', version: VERSION, moduleDir: join(import.meta.dirname, 'clientgo'), packages: ['.'] },
    log,
  );
  return join(binDir, 'clientgo');
}
