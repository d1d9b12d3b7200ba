import { Document } from 'yaml';

/** A YAML document: its value, and a comment before it. The comment is our own text, never a caller's. */
export interface YamlDocument {
  readonly comment?: string;
  readonly value: unknown;
}

/**
 * A stream of YAML documents that Kubernetes reads as exactly these values. It reads YAML 1.1, where `on`, `1e3` and `12:30` are not strings unless quoted; so we write that.
 */
export function toYaml(documents: readonly YamlDocument[]): string {
  const texts = documents.map(({ comment, value }) => {
    const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false });
    // On the value and not the document, which would set it apart by an empty line.
    if (comment !== undefined && document.contents !== null)
      document.contents.commentBefore = comment.replaceAll(/^/gm, ' ');
    return document.toString({ lineWidth: 0, directives: false });
  });
  return texts.join('---\n');
}
