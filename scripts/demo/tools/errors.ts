/** Something the machine lacks. The message is one line that says what to do, and is shown as it is. */
export class ToolError extends Error {
  override name = 'ToolError';
}
