import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { bundleAgent } from './bundle.ts';
import { imageArchitecture, type ImageFile, type ImageName, type WrittenImage, writeImage } from './oci.ts';
import { ENVIRONMENT, NODE_FLAGS } from './runtime.ts';

/** `nonroot` of the usual images without a distribution; restricted pod security wants a number. */
const USER = '65532:65532';

const PASSWD = 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n';
const GROUP = 'root:x:0:\nnonroot:x:65532:\n';

export interface AgentImage {
  /** Archive to write. */
  readonly file: string;
  /** Full reference, such as `docker.io/outrider/agent:0.1.0`, or how it follows from the manifest's digest. */
  readonly name: ImageName;
}

/**
 * Writes the agent's image as an OCI archive, without a container engine: the Node that runs this, the shared libraries it is linked to, and the bundled
 * agent. The same sources on the same machine give the same bytes. `agent/deploy/Dockerfile` makes its equal with an engine.
 */
export async function writeAgentImage({ file, name }: AgentImage): Promise<WrittenImage> {
  const [node, libraries, { code }] = await Promise.all([readFile(process.execPath), sharedLibraries(), bundleAgent()]);
  return await writeImage(file, {
    name,
    architecture: imageArchitecture(),
    // The agent changes with each version, what is under it seldom does.
    layers: [
      [
        { path: '/usr/bin/node', mode: 0o755, data: node },
        ...libraries,
        { path: '/etc/passwd', mode: 0o644, data: Buffer.from(PASSWD) },
        { path: '/etc/group', mode: 0o644, data: Buffer.from(GROUP) },
      ],
      [{ path: '/app/agent.mjs', mode: 0o644, data: code }],
    ],
    config: {
      entrypoint: ['/usr/bin/node', ...NODE_FLAGS, '/app/agent.mjs'],
      env: ENVIRONMENT,
      user: USER,
      workingDir: '/app',
      labels: {
        'org.opencontainers.image.title': 'outrider-agent',
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    },
  });
}

/** What the dynamic loader would load for Node, the loader itself included, at the paths where it looks. */
async function sharedLibraries(): Promise<ImageFile[]> {
  const { stdout } = await promisify(execFile)('ldd', [process.execPath]);
  const paths = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path ?? '');
  return await Promise.all(paths.map(async (path) => ({ path, mode: 0o755, data: await readFile(path) })));
}
