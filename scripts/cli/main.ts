import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reasonOf } from '../lib/problem.ts';
import { writeCliPackage } from './package.ts';

const USAGE = `Builds the npm package of the CLI: one file without dependencies.

Usage: npm run cli -- [--folder <folder>]

  --folder <folder>   what is written, whole; what was there goes. Default dist/outrider
                      \`npm pack dist/outrider\` makes the archive, \`npm install --global ./outrider-….tgz\` installs it
`;

try {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string', default: 'dist/outrider' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else console.log(await writeCliPackage(resolve(process.env['INIT_CWD'] ?? '.', values.folder)));
} catch (error) {
  console.error(`outrider: ${reasonOf(error)}`);
  process.exitCode = 1;
}
