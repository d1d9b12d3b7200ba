import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { KUBERNETES_VERSION } from '#scripts/demo/install.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import { PROGRAMS_MODULE } from './programs.ts';

const run = promisify(execFile);
const BYTES_PER_GIB = 2 ** 30;

/** What a result has to say of the machine that it was made on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  /** Load average of the last minute when the run began: what else the machine was doing. */
  readonly loadBefore: number;
}

export function machineFacts(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / BYTES_PER_GIB),
    system: `${process.platform} ${release()} ${process.arch}`,
    loadBefore: loadavg()[0] ?? 0,
  };
}

const packageShape = z.object({ version: z.string() });

/** Versions of everything that a figure depends on. */
export async function versions(): Promise<Readonly<Record<string, string>>> {
  const packageVersion = async (path: string): Promise<string> =>
    packageShape.parse(JSON.parse(await readFile(join(PROJECT, path, 'package.json'), 'utf8'))).version;
  const modules = await readFile(join(PROGRAMS_MODULE, 'go.mod'), 'utf8');
  const moduleVersion = (path: string): string =>
    new RegExp(`^\\s*(?:require )?${RegExp.escape(path)} (v\\S+)`, 'm').exec(modules)?.[1] ?? 'unknown';
  return {
    outrider: await packageVersion('.'),
    node: process.versions.node,
    workerd: await packageVersion('node_modules/workerd'),
    kubernetes: KUBERNETES_VERSION,
    go: /^go (\S+)$/m.exec(modules)?.[1] ?? 'unknown',
    remotedialer: moduleVersion('github.com/rancher/remotedialer'),
    konnectivity: moduleVersion('sigs.k8s.io/apiserver-network-proxy'),
  };
}

/** The commit, with `+changes` where files differ from it; `unknown` outside a checkout. */
export async function commit(): Promise<string> {
  try {
    const git = async (...args: string[]): Promise<string> => (await run('git', args, { cwd: PROJECT })).stdout.trim();
    const changed = (await git('status', '--porcelain', '--untracked-files=no')) !== '';
    return `${await git('rev-parse', 'HEAD')}${changed ? '+changes' : ''}`;
  } catch {
    return 'unknown';
  }
}
