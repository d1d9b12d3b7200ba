/** The ways from a client to a backend that are compared. */
export const PATHS = ['direct', 'outrider', 'remotedialer', 'konnectivity'] as const;
export type Path = (typeof PATHS)[number];

/** Paths that have no program here, and why. Their column stays empty, and the result says so: a figure from elsewhere would be none of this run. */
export const ABSENT: Readonly<Partial<Record<Path, string>>> = {
  konnectivity:
    'the Go module sigs.k8s.io/apiserver-network-proxy, which has its server and agent, could not be had where this was written; konnectivity-client alone has neither',
};

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
