import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C arrives more than once: from the terminal, and passed on by npm and by the bootstrap. */
const SAME_KEYPRESS_MS = 300;

/** Hears the first signal that asks this process to end; a second one ends it at once. */
export interface Interrupt {
  /** Aborted by the signal. */
  readonly signal: AbortSignal;
  /** The exit code of a program that was ended so: 128 and the signal's number; undefined before. */
  readonly exitCode: number | undefined;
}

/** Listens from now on. What this process alone is sent does not reach its children by itself: it must be handed on. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController();
  let firstAt = 0;
  let exitCode: number | undefined;
  const hear = (name: NodeJS.Signals): void => {
    if (exitCode !== undefined && Date.now() - firstAt > SAME_KEYPRESS_MS) process.exit(exitCode);
    firstAt ||= Date.now();
    exitCode ??= 128 + constants.signals[name];
    controller.abort();
  };
  for (const each of SIGNALS) process.on(each, hear);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
