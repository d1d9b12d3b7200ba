import { CHECKS } from './checks.ts';

/** One check that ran. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
}

/** Each tool is one busy process, and two cores are what the smallest machine has. */
const LANES = 2;

/** Runs the checks, prints a line for each as it ends and, where it failed, what the tool said. Never rejects. */
export async function runChecks(print: (line: string) => void): Promise<CheckResult[]> {
  const waiting = Object.entries(CHECKS);
  const results: CheckResult[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, check] = next;
      const started = performance.now();
      const { code, output } = await check().catch((error: unknown) => ({ code: 1, output: String(error) }));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      print(`${code === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
      if (code !== 0) print(output.replaceAll(/^/gm, '    '));
      results.push({ name, ok: code === 0 });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}
