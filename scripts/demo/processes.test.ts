import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanEnvironment, type ManagedProcess, type ProcessOptions, startProcess, waitUntil } from './processes.ts';

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'processes-'))));
afterAll(() => rm(dir, { recursive: true }));

test('a process that ends too early fails the wait with its last log lines', async () => {
  const process = await shell('echo the port is taken; exit 3');
  const wait = waitUntil('starting', async () => false, { withinMs: 10_000, by: [process] });
  await expect(wait).rejects.toThrow(/test exited with code 3: the port is taken/);
});

test('a wait that takes too long says what it waited for and quotes the log', async () => {
  const process = await shell('echo still busy; exec sleep 60');
  await logged(process, 'still busy');
  const wait = waitUntil('the impossible', async () => false, { withinMs: 10, by: [process] });
  await expect(wait).rejects.toThrow(/the impossible took more than 0.01 s. test: still busy/);
  await process.stop();
});

test('a process that ignores SIGTERM is killed after the bound, and stopping twice does no harm', async () => {
  const process = await shell(`trap '' TERM; echo ready; while :; do sleep 60; done`, { stopWithinMs: 50 });
  await logged(process, 'ready');
  await Promise.all([process.stop(), process.stop()]);
  await process.stop();
  expect(await process.exited).toBe('ended by SIGKILL');
});

test('only an end that nobody asked for is reported', async () => {
  const reports: string[] = [];
  const onUnexpectedExit = (message: string): void => void reports.push(message);
  const asked = await shell('exec sleep 60', { onUnexpectedExit });
  await asked.stop();
  expect(reports).toEqual([]);
  const reported = new Promise((resolve) => void shell('echo broken; exit 1', { onUnexpectedExit: resolve }));
  expect(await reported).toMatch(/^test exited with code 1: broken/);
});

test('a program that does not exist is an error at once', async () => {
  const start = startProcess({ name: 'x', argv: ['/no/such/program'], logFile: join(dir, 'x.log') });
  // Through setpriv the failure is an exit, without it an error of spawn.
  await expect(start.then((process) => process.exited)).resolves.toMatch('code 127');
});

test('children see no proxy settings and nothing else of the shell', () => {
  expect(Object.keys(cleanEnvironment()).toSorted()).toEqual(['HOME', 'LANG', 'PATH']);
});

function shell(script: string, options: Partial<ProcessOptions> = {}): Promise<ManagedProcess> {
  return startProcess({ name: 'test', argv: ['sh', '-c', script], logFile: join(dir, 'test.log'), ...options });
}

function logged({ logFile }: ManagedProcess, text: string): Promise<void> {
  return waitUntil(text, async () => (await readFile(logFile, 'utf8')).includes(text), { withinMs: 5_000 });
}
