import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildGoTools, type GoTools, hasGoTools } from '#scripts/demo/tools/go.ts';

let dir: string;
let tools: GoTools;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'go-tools-'));
  vi.stubEnv('OUTRIDER_CACHE', join(dir, 'cache'));
  const moduleDir = join(dir, 'module');
  tools = { name: 'hello', version: '1.0.0', moduleDir, packages: ['.'], linkValues: { 'main.version': '1.0.0' } };
  await mkdir(moduleDir);
  await writeFile(join(moduleDir, 'go.mod'), 'module example.com/hello\n\ngo 1.24\n');
  await writeFile(join(moduleDir, 'main.go'), program('first'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

test('many who want the same tools at once build them once, and what is built has its link values', async () => {
  const lines: string[] = [];
  const wanted = Array.from({ length: 3 }, () => buildGoTools(tools, (line) => lines.push(line)));
  const [first, ...others] = await Promise.all(wanted);
  expect(others).toEqual([first, first]);
  expect(lines.filter((line) => line.startsWith('building hello 1.0.0'))).toHaveLength(1);
  const { stdout } = await promisify(execFile)(join(first?.binDir ?? '', 'hello'));
  expect(stdout).toBe('first 1.0.0');
  expect(await hasGoTools(tools)).toBe(true);
});

test('changed source is built anew', async () => {
  await writeFile(join(tools.moduleDir, 'main.go'), program('second'));
  expect(await hasGoTools(tools)).toBe(false);
  const { binDir } = await buildGoTools(tools, () => {});
  const { stdout } = await promisify(execFile)(join(binDir, 'hello'));
  expect(stdout).toBe('second 1.0.0');
});

test('a failed build says why in one line and leaves nothing in the cache', async () => {
  const before = await readdir(join(dir, 'cache/tools'));
  await writeFile(join(tools.moduleDir, 'main.go'), 'package main\nfunc main() { nonsense() }\n');
  await expect(buildGoTools(tools, () => {})).rejects.toThrow(
    /^building hello 1.0.0 failed: [^\n]*undefined: nonsense$/,
  );
  expect(await readdir(join(dir, 'cache/tools'))).toEqual(before);
});

function program(text: string): string {
  return `package main\nimport "os"\nvar version string\nfunc main() { os.Stdout.WriteString("${text} " + version) }\n`;
}
