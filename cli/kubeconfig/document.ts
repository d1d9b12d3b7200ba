import { type Document, LineCounter, isMap, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { Failure, oneLine } from '../exits.ts';

/** What of a kubeconfig has entries with names (client-go `tools/clientcmd/api/v1/types.go`). */
export const SECTIONS = ['clusters', 'contexts', 'users'] as const;
export type Section = (typeof SECTIONS)[number];

/** The field of an entry that holds its value. */
export const FIELDS = { clusters: 'cluster', contexts: 'context', users: 'user' } as const satisfies Record<
  Section,
  string
>;

const Name = z.string().max(4096);
const Value = z.looseObject({
  extensions: z.array(z.looseObject({ name: z.unknown(), extension: z.unknown() })).nullish(),
});
/** Entries of any section: each has one of the three. */
const Entries = z
  .array(z.looseObject({ name: Name, cluster: Value.nullish(), context: Value.nullish(), user: Value.nullish() }))
  .nullish()
  .transform((entries) => entries ?? []);

/** As much of a kubeconfig as is looked at; the rest is the person's own. */
const Kubeconfig = z.looseObject({
  clusters: Entries,
  contexts: Entries,
  users: Entries,
  'current-context': z.string().nullish(),
});
export type Kubeconfig = z.infer<typeof Kubeconfig>;

/** A kubeconfig that was read: its text's tree, with places, and what it says. */
export interface Parsed {
  readonly document: Document.Parsed;
  readonly value: Kubeconfig;
  /** The same, with all that is not looked at. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/**
 * Reads a kubeconfig; an empty one says nothing. Aliases are bounded by the parser, so that a small file does not grow.
 *
 * @throws {Failure} with the path, where it is no kubeconfig: it is left alone then.
 */
export function parseKubeconfig(path: string, text: string): Parsed {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const [document] = documents;
  if (!Array.isArray(documents) || document === undefined) throw damaged(path, 'it is empty');
  if (documents.length > 1) throw damaged(path, 'it holds several documents');
  const [error] = document.errors;
  if (error !== undefined) throw damaged(path, `line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
  if (!isMap(document.contents)) throw damaged(path, 'it is not a mapping');
  try {
    const raw: unknown = document.toJS();
    return { document, value: Kubeconfig.parse(raw), raw: z.record(z.string(), z.unknown()).parse(raw) };
  } catch (error_) {
    const issue = error_ instanceof z.ZodError ? error_.issues[0] : undefined;
    const why = issue === undefined ? String(error_) : `${issue.path.join('.')}: ${issue.message}`;
    throw damaged(path, why);
  }
}

const damaged = (path: string, why: string): Failure =>
  new Failure('error', `${path} is not a kubeconfig that can be changed (${oneLine(why)}): repair or move it`);
