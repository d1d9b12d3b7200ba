import { resolve } from 'node:path';

/** The checkout. */
export const PROJECT = resolve(import.meta.dirname, '../..');
