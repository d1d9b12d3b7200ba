/** `npm run bench`: see README.md beside this file. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem, reasonOf } from '#scripts/lib/problem.ts';
import { onInterrupt } from '#scripts/test/interrupt.ts';
import { renderSummary, renderTable } from './figures/report.ts';
import { type RowResult, resultsOf } from './figures/results.ts';
import { HELP, type Options, readOptions } from './options.ts';
import { BUDGETS, selectMeasurements } from './rows/table.ts';
import type { WorldName } from './rows/row.ts';
import { WAN_RTT_MS } from './rows/wan.ts';
import { Cleanup } from './run/cleanup.ts';
import { commit, machineFacts, versions } from './run/facts.ts';
import { Load } from './run/load.ts';
import { keepLogs } from './run/logs.ts';
import { type Failure, measureWorld } from './run/measure.ts';
import { installPrograms } from './run/programs.ts';
import { writeAgentBundle } from './worlds/agent.ts';
import { startApiWorld } from './worlds/api.ts';
import { startBareWorld } from './worlds/bare.ts';
import { makeCertificates } from './worlds/certificates.ts';
import type { World, WorldContext } from './worlds/world.ts';

const WORLDS: Readonly<Record<WorldName, (context: WorldContext) => Promise<World>>> = {
  bare: (context) => startBareWorld(context, 'bare', 0),
  wan: (context) => startBareWorld(context, 'wan', WAN_RTT_MS),
  api: startApiWorld,
};

const MS_PER_S = 1000;

const startedAt = performance.now();
const say = (line: string): void => {
  process.stderr.write(`[${((performance.now() - startedAt) / MS_PER_S).toFixed(0).padStart(4)} s] ${line}\n`);
};

async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  const selected = selectMeasurements(options.rows, options.soakMinutes > 0);
  if (selected.length === 0)
    throw new Problem('--rows matches no row: --help says how they are named', { exitCode: 2 });
  if (process.platform !== 'linux') throw new Problem('the bench reads /proc: run it on Linux');
  const machine = machineFacts();
  const cleanup = new Cleanup();
  const dir = await mkdtemp(join(tmpdir(), 'outrider-bench-'));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const results: RowResult[] = [];
  const failures: Failure[] = [];
  try {
    const programs = await installPrograms(say);
    const [certificates, agentBundle] = [await makeCertificates(dir), await writeAgentBundle(dir)];
    const load = new Load(programs.load, dir);
    cleanup.defer(() => load.stop());
    // What is under way need not be waited for.
    signal.addEventListener('abort', () => void load.stop());
    for (const [name, measurements] of selected) {
      signal.throwIfAborted();
      say(`${name}: starting`);
      const roundsUntil = performance.now() + BUDGETS[options.quick ? 'quick' : 'full'][name] * MS_PER_S;
      const ofWorld = new Cleanup();
      cleanup.defer(() => ofWorld.run());
      const worldDir = join(dir, name);
      await mkdir(worldDir);
      const context = { dir: worldDir, programs, certificates, agentBundle, cleanup: ofWorld, say };
      const world = await WORLDS[name]({ ...context, paths: options.paths });
      const measured = await measureWorld(world, measurements, { ...options, roundsUntil, load, say, signal });
      failures.push(...measured.failures);
      if (measured.failures.length > 0) say(`${name}: logs are kept in ${await keepLogs(worldDir)}`);
      for (const [measurement, samples] of measured.samples) results.push(...resultsOf(name, measurement, samples));
      await load.stop();
      await ofWorld.run();
    }
  } finally {
    await cleanup.run();
  }
  if (options.json !== undefined) {
    const { quick, rounds, soakMinutes } = options;
    const about = { machine, versions: await versions(), commit: await commit(), date: new Date().toISOString() };
    const result = { ...about, quick, rounds, soakMinutes, rows: results, failures };
    await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
  process.stdout.write(`${renderTable(results)}\n\n${renderSummary(results)}\n`);
  for (const { world, measurement, path, error } of failures) {
    process.stdout.write(`no figure: ${world}/${measurement} ${path}: ${error}\n`);
  }
  return failures.length === 0;
}

const interrupt = onInterrupt();
try {
  // npm changes the folder to that of package.json and leaves a note of where the person was.
  const options = readOptions(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd());
  if (options.help) process.stdout.write(HELP);
  else process.exitCode = (await bench(options, interrupt.signal)) ? 0 : 1;
} catch (error) {
  if (interrupt.exitCode === undefined) {
    process.stderr.write(`bench: ${error instanceof Problem ? error.message : reasonOf(error)}\n`);
  }
  process.exitCode = interrupt.exitCode ?? (error instanceof Problem ? error.exitCode : 1);
}
// What a library still holds open has no say in when the bench is over.
process.exit();
