import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { diesWithParent } from '../lib/tie.ts';
import { cleanEnvironment } from './processes.ts';

export type KubectlOptions = {
  /** Path of the kubeconfig whose identity is used. */
  kubeconfig: string;
  /** Standard input; without it there is none. */
  input?: string | Uint8Array;
  /** Ends kubectl with SIGTERM. */
  signal?: AbortSignal;
};

/** What a run left behind; the exit code is {@link ENDED_BY_SIGNAL} if a signal ended it. */
export type KubectlResult = { stdout: string; stderr: string; code: number };

/** Shells add the signal's number to this. */
const ENDED_BY_SIGNAL = 128;

/** Runs kubectl. Resolves for every exit code; throws only if the program cannot be run. */
export function runKubectl(program: string, args: readonly string[], options: KubectlOptions): Promise<KubectlResult> {
  const { kubeconfig, input, signal } = options;
  const [command = '', ...rest] = diesWithParent([program, ...args], 'KILL');
  // Proxy variables are left out with the rest: the API server is on this machine.
  // Without a home kubectl would keep its cache in the current folder.
  const env = {
    ...cleanEnvironment(),
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(dirname(kubeconfig), 'kubectl-cache'),
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const stop = (): void => void child.kill('SIGTERM');
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    // kubectl may end before it has read all of its input.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      resolve({ stdout, stderr, code: code ?? ENDED_BY_SIGNAL });
    });
  });
}
