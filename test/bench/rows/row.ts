import type { Path } from '../paths.ts';

/** Where a measurement is made: what the backend is, and how far away. */
export type WorldName = 'bare' | 'wan' | 'api';

export type Unit = 'ms' | '1/s' | 'MB/s' | 'MiB' | 'µs' | '%' | 'streams' | 's';

/** What the issue asks of Outrider's figure. */
export type Goal =
  /** In the row's own unit. */
  | { readonly limit: number }
  /** As a multiple of another path's figure of the same row. */
  | { readonly times: number; readonly of: Exclude<Path, 'outrider'> };

/** One line of the table: a figure that a measurement gives for each path. */
export interface Row {
  /** Of the figure in what the measurement gives. */
  readonly metric: string;
  /** What the line is called behind the measurement's name. */
  readonly label: string;
  readonly unit: Unit;
  readonly better: 'lower' | 'higher';
  /** The figure less that of `direct` in the same round: what the path adds. */
  readonly added?: true;
  /** None: shown for comparison. */
  readonly goals?: readonly Goal[];
}

/** Numbers and paths for the load program (`programs/load`). */
export type Params = Readonly<Record<string, number | string>>;

/** What the load program can do. */
export type Scenario =
  | 'get'
  | 'download'
  | 'upload'
  | 'beside'
  | 'events'
  | 'watch'
  | 'exec'
  | 'cpout'
  | 'cpin'
  | 'streams';

export type Work =
  /** The load program does it; `quick` is laid over `full`. */
  | { readonly scenario: Scenario; readonly full: Params; readonly quick: Params }
  /** Resident memory of the path's two programs, in a state that `run/memory.ts` brings about. */
  | { readonly memory: MemoryState };

export type MemoryState = 'idle' | 'open' | 'loaded' | 'slow' | 'soak';

/** One thing that is done on each path, and the lines that come of it. */
export interface Measurement {
  readonly name: string;
  readonly work: Work;
  readonly rows: readonly Row[];
  /** @default all */
  readonly paths?: readonly Path[];
  /**
   * `first` and `last` are done once: memory at idle comes before any load, growth after all of it.
   * @default 'round'
   */
  readonly when?: 'first' | 'round' | 'last';
  /** With `--quick` once: it takes too long for more, in seconds of a run of minutes. */
  readonly onceIfQuick?: true;
}

/** The name of a line, such as `bare/get-1kb-serial p50`; `--rows` matches it. */
export const rowName = (world: WorldName, measurement: Measurement, row: Row): string =>
  `${world}/${measurement.name} ${row.label}`;
