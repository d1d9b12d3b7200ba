import { stringify } from 'yaml';
import { FIELDS } from './document.ts';
import type { Entry } from './entries.ts';

/** What is to change in one kubeconfig. */
export interface Change {
  /** Entries to add, or to replace where there is one of that name. */
  readonly put: readonly Entry[];
  readonly remove: readonly Pick<Entry, 'section' | 'name'>[];
  /** The new current context, `` for none; undefined: as it was. */
  readonly currentContext?: string | undefined;
}

/** How our entries are written: as kubectl writes, whole values on one line. */
export const WRITTEN = { lineWidth: 0, indentSeq: false } as const;

/** An entry as it stands in its list. */
export const written = ({ section, name, value }: Entry): { name: string } => ({ [FIELDS[section]]: value, name });

/** A string as a YAML scalar on one line. */
export const scalar = (text: string): string => stringify(text, { ...WRITTEN, defaultStringType: 'PLAIN' }).trimEnd();
