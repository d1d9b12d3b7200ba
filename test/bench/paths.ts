/** The ways from a client to a backend that are compared. */
export const PATHS = ['direct', 'outrider', 'remotedialer', 'konnectivity'] as const;
export type Path = (typeof PATHS)[number];

/** One figure for each path; null where a path has none. */
export type PerPath<T> = Readonly<Record<Path, T>>;

export function perPath<T>(value: (path: Path) => T): PerPath<T> {
  return {
    direct: value('direct'),
    outrider: value('outrider'),
    remotedialer: value('remotedialer'),
    konnectivity: value('konnectivity'),
  };
}
