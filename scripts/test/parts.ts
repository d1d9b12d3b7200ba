/** The parts of `npm test`, in order: what fails fastest and explains most comes first. */
export const PARTS = [
  'check',
  'unit',
  'conformance',
  'conformance-workerd',
  'simulation',
  'workerd',
  'e2e',
  'waiting',
] as const;

export type Part = (typeof PARTS)[number];

/** The projects of vitest.config.ts. */
export type Project = Exclude<Part, 'check'>;

/** Where the tests of a project lie. */
export const FOLDERS = {
  unit: ['schema', 'ldap', 'workers', 'agent', 'cli', 'scripts'],
  conformance: ['test/conformance'],
  'conformance-workerd': ['test/conformance'],
  simulation: ['test/simulation'],
  workerd: ['test/workerd'],
  e2e: ['test/e2e'],
  waiting: ['test/waiting'],
} as const satisfies Record<Project, readonly string[]>;

/** Parts that need real programs installed. */
export const NEEDS_TOOLS: ReadonlySet<Part> = new Set(['e2e', 'waiting']);

/** Runs beside the others from the beginning: what it does is wait. */
export const BESIDE = 'waiting' satisfies Part;

export const isPart = (word: string): word is Part => PARTS.some((part) => part === word);
export const isProject = (part: Part): part is Project => part !== 'check';
