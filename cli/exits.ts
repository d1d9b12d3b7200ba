/** Every exit code and what it says. Scripts rely on them: a row is never given another meaning. */
export const EXITS = {
  ok: { code: 0, means: 'done' },
  error: { code: 1, means: 'something failed' },
  usage: { code: 2, means: 'called wrongly' },
  'not-signed-in': { code: 3, means: 'not signed in, or the sign-in has ended' },
  'not-permitted': { code: 4, means: 'not permitted' },
  'not-found': { code: 5, means: 'not found' },
  unreachable: { code: 6, means: 'the plane cannot be reached, or cannot answer now' },
  untrusted: { code: 7, means: "the plane's certificate is not trusted" },
  conflict: { code: 8, means: 'conflicts with what is there' },
  'timed-out': { code: 9, means: 'what was waited for did not happen in time' },
  /** 128 + SIGINT, as shells say it. */
  interrupted: { code: 130, means: 'interrupted' },
} as const satisfies Record<string, { code: number; means: string }>;

export type Exit = keyof typeof EXITS;

/** A failure that a person can act on: one line that says what is wrong and what to do about it. */
export class Failure extends Error {
  readonly exit: Exit;

  constructor(exit: Exit, message: string, options: { cause?: unknown } = {}) {
    super(oneLine(message), { cause: options.cause });
    this.name = 'Failure';
    this.exit = exit;
  }
}

/** The text of anything thrown, in one line, without a stack. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join(', ');
  return oneLine(error instanceof Error ? error.message : String(error));
}

/** `ENOENT` and its kin, or undefined for an error that has no code. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Text from elsewhere on one line of a terminal: control characters (C0, C1, and what turns the direction of writing, Unicode UAX #9) could move the cursor and forge what
 * stands there.
 */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, ' ')
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '�')
    .trim();
}
