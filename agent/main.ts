import { startAgent } from './agent.ts';
import { ConfigError, readConfig } from './config.ts';
import { createLogger, describeError } from './log.ts';

/** Wrong settings (sysexits.h, EX_CONFIG): a supervisor can tell it from a crash. */
const EXIT_CONFIG = 78;

/** Runs the agent until SIGTERM or SIGINT; a second signal ends it at once. */
async function main(): Promise<void> {
  const write = (line: string): void => void process.stdout.write(line);
  let log = createLogger('info', write);
  try {
    const config = readConfig(process.argv.slice(2));
    log = createLogger(config.logLevel, write);
    const agent = await startAgent(config, log);
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info('stopping: streams under way may finish', { signal });
      agent.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error('could not stop in order', { error: describeError(error) });
          process.exit(1);
        },
      );
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  } catch (error) {
    log.error(error instanceof ConfigError ? error.message : 'the agent could not start', {
      ...(error instanceof ConfigError ? {} : { error: describeError(error) }),
    });
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
  }
}

await main();
