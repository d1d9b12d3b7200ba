import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Problem, reasonOf } from '../lib/problem.ts';
import { writeAgentImage } from './agent.ts';

const USAGE = `Builds the agent's image as an OCI archive, without a container engine.

Usage: npm run image -- --name <reference> [--file <archive>]

  --name <reference>   such as registry.example.com/outrider/agent:0.1.0
  --file <archive>     default outrider-agent.tar; \`skopeo copy oci-archive:<archive> docker://<reference>\` pushes it
`;

try {
  const { values } = parseArgs({
    options: {
      name: { type: 'string' },
      file: { type: 'string', default: 'outrider-agent.tar' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
  } else if (values.name === undefined) {
    console.error('outrider: --name is missing (npm run image -- --help)');
    process.exitCode = 2;
  } else {
    if (process.platform !== 'linux') {
      // The image gets the Node and the libraries of the machine that builds it.
      throw new Problem('the image is built on Linux only: with a container engine, use agent/deploy/Dockerfile');
    }
    const file = resolve(process.env['INIT_CWD'] ?? '.', values.file);
    const { manifestDigest } = await writeAgentImage({ file, name: values.name });
    console.log(`${file}: ${values.name}@${manifestDigest}`);
  }
} catch (error) {
  console.error(`outrider: ${reasonOf(error)}`);
  process.exitCode = 1;
}
