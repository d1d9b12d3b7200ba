/** A word of a POSIX shell that stands for exactly this text (Shell Command Language, "Single-Quotes"). */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * A command that applies the manifest at `url` to the current context of kubectl, never without checking the plane's certificate.
 *
 * - Publicly trusted: kubectl fetches it.
 * - A CA of one's own: kubectl has no option for the CA of `-f https://…`, and `curl --pinnedpubkey` still wants a CA that it trusts. So curl gets the CA: from `caFile`
 *   where the caller names one; else from the command itself, as a here-document, since whoever pastes it has it from a session with this plane and needs no file.
 */
export function importCommand({
  url,
  publicCa,
  caFile,
}: {
  url: string;
  publicCa: string | null;
  caFile?: string | undefined;
}): string {
  if (publicCa === null) return `kubectl apply -f ${shellQuote(url)}`;
  if (caFile !== undefined) return `curl -sSf --cacert ${shellQuote(caFile)} ${shellQuote(url)} | kubectl apply -f -`;
  // The CA is PEM, which has no line that could end the here-document; the quotes keep the shell from reading it.
  return `curl -sSf --cacert /dev/stdin ${shellQuote(url)} <<'CA' | kubectl apply -f -\n${publicCa}CA`;
}
