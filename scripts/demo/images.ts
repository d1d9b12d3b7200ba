import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { imageArchitecture, type ImageFile, writeImage } from '../image/oci.ts';
import { programPath } from './tools/debian.ts';

/** A shell and the usual tools, for test pods. Pods must say `imagePullPolicy: IfNotPresent` or `Never`. */
export const BUSYBOX_IMAGE = 'docker.io/local/busybox:1';

/** Holds a pod's namespaces open (the "sandbox image" of the container runtime interface). */
export const PAUSE_IMAGE = 'docker.io/local/pause:1';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\nnobody:x:65534:\n';

/**
 * Writes the two images that a cluster starts with, from the machine's statically linked busybox: nothing is pulled.
 *
 * @returns paths of the archives.
 */
export async function writeBaseImages(dir: string): Promise<string[]> {
  const program = programPath('busybox');
  const busybox: ImageFile = { path: '/bin/busybox', mode: 0o755, data: await readFile(program) };
  const { stdout } = await promisify(execFile)(program, ['--list']);
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  const architecture = imageArchitecture();

  const pause = join(dir, 'pause.tar');
  // It only has to exist until it is killed, as the runtime ends a sandbox with SIGKILL.
  const config = { entrypoint: ['/bin/busybox', 'sleep', 'infinity'] };
  await writeImage(pause, { name: PAUSE_IMAGE, architecture, layers: [[busybox]], config });

  const shell = join(dir, 'busybox.tar');
  const userland: ImageFile[] = [
    ...applets.map((name) => ({ path: `/bin/${name}`, link: 'busybox' })),
    { path: '/etc/passwd', mode: 0o644, data: Buffer.from(PASSWD) },
    { path: '/etc/group', mode: 0o644, data: Buffer.from(GROUP) },
    { path: '/root', mode: 0o700, directory: true },
    { path: '/tmp', mode: 0o1777, directory: true },
  ];
  await writeImage(shell, {
    name: BUSYBOX_IMAGE,
    architecture,
    layers: [[busybox], userland],
    config: { cmd: ['sh'], env: { PATH: '/bin' } },
  });
  return [pause, shell];
}
