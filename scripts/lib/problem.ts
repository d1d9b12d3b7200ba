/** A failure that a person can act on: one line that says what is wrong and what to do about it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** Exit code of the program: 2 when it was called wrongly, else 1. */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: { cause?: unknown; exitCode?: 1 | 2 } = {}) {
    // Other programs' messages, quoted in ours, may have several lines.
    super(message.replaceAll(/\s*\n\s*/g, ' ').trim(), { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The text of anything thrown, without a stack. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** `ENOENT` and its kin, or undefined for an error that the operating system did not make. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
