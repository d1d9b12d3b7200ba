import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder for what is made once per version: `$OUTRIDER_CACHE`, else `$XDG_CACHE_HOME/outrider`, else `~/.cache/outrider`. */
export function toolCache(): string {
  const env = process.env;
  const base = env['OUTRIDER_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'outrider');
  return join(base, 'tools');
}
