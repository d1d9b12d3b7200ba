import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { cleanEnvironment } from '../processes.ts';
import { programPath } from '../tools/debian.ts';
import type { Sandbox } from './sandbox.ts';

/** The containerd namespace that kubelet's containers and images are in. */
const KUBERNETES = 'k8s.io';

/** Imports an image archive into the node's containerd. @throws with what containerd says. */
export async function importImage(sandbox: Sandbox, archive: string): Promise<void> {
  // Through standard input: the archive may be somewhere that the sandbox does not see.
  const file = await open(archive);
  try {
    const { code, output } = await ctr(sandbox, ['images', 'import', '-'], file.fd);
    if (code !== 0) throw new Error(`image ${archive} cannot be imported: ${output.trim()}`);
  } finally {
    await file.close();
  }
}

/** Whether containerd takes commands. */
export async function containerdAnswers(sandbox: Sandbox): Promise<boolean> {
  return (await ctr(sandbox, ['version'], 'ignore')).code === 0;
}

function ctr(
  sandbox: Sandbox,
  args: readonly string[],
  stdin: number | 'ignore',
): Promise<{ code: number | null; output: string }> {
  const [program = '', ...rest] = sandbox.enter([programPath('ctr'), '--namespace', KUBERNETES, ...args]);
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { env: cleanEnvironment(), stdio: [stdin, 'pipe', 'pipe'] });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
