/** A command of the table. */
export interface Command {
  /** Arguments of kubectl, one word each or separated by spaces; {ns}, {other} and {dir} stand for what is the side's own. */
  readonly run: string | readonly string[];
  /** Standard input, an object as JSON; {ns} is replaced here too. */
  readonly input?: object | string;
  /** The exit code that it must have. @default 0 */
  readonly code?: number;
  /** Must be in the output of both, so that a row stays the case that it was written for. */
  readonly says?: string;
}

/** A command that is refused, with what kubectl must say. */
export const refused = (run: Command['run'], says: string, input?: Command['input']): Command => ({
  run,
  says,
  code: 1,
  ...(input !== undefined && { input }),
});
