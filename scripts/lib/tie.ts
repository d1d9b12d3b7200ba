import { existsSync } from 'node:fs';

/** `setpriv` (util-linux) is the only way to ask for PR_SET_PDEATHSIG from here; without it a kill -9 leaves orphans. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** The command, made to get `signal` when the thread that started it ends (PR_SET_PDEATHSIG, prctl(2)). */
export function diesWithParent(argv: readonly string[], signal: 'KILL' | 'TERM'): string[] {
  return SETPRIV ? [SETPRIV, '--pdeathsig', signal, '--', ...argv] : [...argv];
}
