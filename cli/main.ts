#!/usr/bin/env node
import { processIo } from './io.ts';
import { run } from './run.ts';

const OLDEST_NODE = 20;

const interrupt = new AbortController();
// Once: a second Ctrl-C ends it at once.
process.once('SIGINT', () => interrupt.abort());
// Who reads no further, as head(1), has what they wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.stderr.on('error', () => {});

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(`outrider: Node ${process.versions.node} is too old: install Node ${OLDEST_NODE} or later\n`);
  process.exitCode = 1;
} else {
  process.exitCode = await run(processIo(process.env, interrupt.signal), process.argv.slice(2));
}
