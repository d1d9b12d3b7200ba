/** How much is written: a level and all after it. */
const LEVELS = { debug: 0, info: 1, warn: 2, error: 3 } as const;
export type LogLevel = keyof typeof LEVELS;

/** What a line says beside its message. Values are flat; nothing that holds a secret belongs here (and see {@link redact}). */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Fields may be a function, for lines that are seldom written and often come by. */
export type Logger = Record<LogLevel, (message: string, fields?: LogFields | (() => LogFields)) => void>;

/** Names of fields whose value is never written. */
const SECRET_NAME = /token|credential|secret|password|authorization|private|cookie/i;

/** What looks like a credential inside any text: JSON Web Tokens, bearer values, the user part of a URL, PEM keys. */
const SECRET_TEXT = [
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
  /\bbearer\s+[^\s"',;]+/gi,
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
];

const HIDDEN = '[redacted]';

/** Takes credentials out of text that comes from elsewhere, such as an error's message. */
export function redact(text: string): string {
  return SECRET_TEXT.reduce((rest, pattern) => rest.replace(pattern, HIDDEN), text);
}

/** One line of JSON for each event: `time` (RFC 3339), `level`, `message`, fields. */
export function createLogger(level: LogLevel, write: (line: string) => void, now = (): Date => new Date()): Logger {
  const at =
    (lineLevel: LogLevel) =>
    (message: string, fields: LogFields | (() => LogFields) = {}) => {
      if (LEVELS[lineLevel] < LEVELS[level]) return;
      const shown = Object.entries(typeof fields === 'function' ? fields() : fields).map(([name, value]) => {
        if (SECRET_NAME.test(name)) return [name, HIDDEN];
        return [name, typeof value === 'string' ? redact(value) : value];
      });
      write(
        `${JSON.stringify({
          time: now().toISOString(),
          level: lineLevel,
          message: redact(message),
          ...Object.fromEntries(shown),
        })}\n`,
      );
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** What an error says, and its cause: Node puts the useful half there. Fit for a log line; not redacted yet. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const parts = error instanceof AggregateError ? error.errors.map(describeError) : [];
  const message = error.message || parts.join(', ') || error.name;
  const text = code === '' || message.includes(code) ? message : `${message} (${code})`;
  return error.cause === undefined ? text : `${text}: ${describeError(error.cause)}`;
}
