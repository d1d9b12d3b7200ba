import { runChecks } from './run.ts';

const results = await runChecks((line) => console.log(line));
const failed = results.filter(({ ok }) => !ok).length;
console.log(`${results.length - failed} checks passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
