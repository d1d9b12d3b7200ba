import { readFile } from 'node:fs/promises';

/** Processes that carry a path. */
export interface PathProcesses {
  /** At the client's end: workerd, or the peer's server. A function, since a supervised process may be another later. */
  readonly server: () => number;
  /** At the backend's end. */
  readonly agent: () => number;
}

const KIB_PER_MIB = 1024;

/** Resident memory of a process, MiB (proc(5), `VmRSS`). */
async function residentMiB(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kib) / KIB_PER_MIB;
}

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields 14 and 15 of proc(5) `stat`, counted behind the name, which may hold blanks. */
const UTIME = 11;
const STIME = 12;

/** Processor time that a process has used in all its threads, µs. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[UTIME]) + Number(fields[STIME])) * 1_000_000) / TICKS_PER_SECOND;
}

/** Memory of both programs of a path. */
export async function pathMemory(processes: PathProcesses): Promise<{ agent: number; server: number }> {
  const [agent, server] = await Promise.all([residentMiB(processes.agent()), residentMiB(processes.server())]);
  return { agent, server };
}
