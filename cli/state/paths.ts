import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Io, variable } from '../io.ts';

/** Where the CLI keeps what it knows: the XDG Base Directory Specification 0.8, on every system, so that there is one place to tell people of. */
export interface Paths {
  /** Servers and sign-ins. */
  readonly configFile: string;
  /** Tokens of the exec plugin. */
  readonly cacheFolder: string;
}

export function statePaths(env: Io['env']): Paths {
  return {
    configFile: join(base(env, 'XDG_CONFIG_HOME', '.config'), 'config.json'),
    cacheFolder: base(env, 'XDG_CACHE_HOME', '.cache'),
  };
}

/** The person's home folder; `HOME` goes before what the system says, as in client-go (`util/homedir`). */
export const home = (env: Io['env']): string => variable(env, 'HOME') ?? homedir();

function base(env: Io['env'], name: string, otherwise: string): string {
  const given = variable(env, name);
  // "All paths set in these environment variables must be absolute. If an implementation encounters a relative path … it should … ignore it."
  return join(given !== undefined && isAbsolute(given) ? given : join(home(env), otherwise), 'outrider');
}
