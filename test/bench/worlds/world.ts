import type { Path } from '../paths.ts';
import type { Cleanup } from '../run/cleanup.ts';
import type { Target } from '../run/load.ts';
import type { Programs } from '../run/programs.ts';
import type { PathProcesses } from '../run/usage.ts';
import type { WorldName } from '../rows/row.ts';
import type { Certificates } from './certificates.ts';

/** For a plane that is measured: all of its load comes with one token. */
export const UNBOUNDED = { REQUESTS_PER_TOKEN: '1000000' } as const;

/** What every world is made with. */
export interface WorldContext {
  /** An own folder. */
  readonly dir: string;
  readonly programs: Programs;
  readonly certificates: Certificates;
  /** Paths that are asked for. */
  readonly paths: readonly Path[];
  /** Bundled agent, as in its image. */
  readonly agentBundle: string;
  /** Gets, as soon as something runs, how to end it. */
  readonly cleanup: Cleanup;
  readonly say: (line: string) => void;
}

/** A way to the world's backend, ready for requests. */
export interface Way {
  readonly target: Target;
  /** None for `direct`. */
  readonly processes?: PathProcesses;
}

/** A backend and the ways to it. */
export interface World {
  readonly name: WorldName;
  readonly ways: Readonly<Partial<Record<Path, Way>>>;
}

/** What lies on the way to an address: given `127.0.0.1:port`, the one to dial instead. */
export type Hop = (address: string) => Promise<string>;
