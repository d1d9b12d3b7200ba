import { Document, Scalar, visit } from 'yaml';

/** A YAML document: its value, and a comment before it. The comment is our own text, never a caller's. */
export interface YamlDocument {
  readonly comment?: string;
  readonly value: unknown;
}

/** What some version of YAML takes for a number if nothing quotes it: `0o17` is one in 1.2 only, `12:30` in 1.1 only. */
const NUMBER_LIKE = /^[-+.0-9][^\n]*$/;

function document({ comment, value }: YamlDocument): string {
  const made = new Document(value, { version: '1.1', aliasDuplicateObjects: false });
  visit(made, {
    Scalar(_key, scalar) {
      if (typeof scalar.value === 'string' && NUMBER_LIKE.test(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // On the value and not the document, which would set it apart by an empty line.
  if (comment !== undefined && made.contents !== null) made.contents.commentBefore = comment.replaceAll(/^/gm, ' ');
  return made.toString({ lineWidth: 0, directives: false });
}

/**
 * A stream of YAML documents that gives exactly these values. Kubernetes reads YAML 1.1, where `on` and `1e3` are not strings unless quoted, so we write that; other
 * tools read 1.2, and find the same.
 */
export function toYaml(documents: readonly YamlDocument[]): string {
  return documents.map(document).join('---\n');
}
