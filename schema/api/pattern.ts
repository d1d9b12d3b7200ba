/**
 * Unicode categories as ranges. JSON Schema 2020-12 §6.4 recommends patterns without `\p{…}`, which many engines lack. Of Cf, what lies beyond the Basic Multilingual Plane is left out,
 * as such engines have no common way to write it: there the document allows a little more than the plane, which answers `invalid`.
 */
const CATEGORIES: readonly (readonly [category: string, ranges: string])[] = [
  ['Cc', String.raw`\x00-\x1f\x7f-\x9f`],
  [
    'Cf',
    String.raw`\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb`,
  ],
  ['Cs', String.raw`\ud800-\udfff`],
  ['Zl', String.raw`\u2028`],
  ['Zp', String.raw`\u2029`],
];

/** A JSON Schema whose patterns have no Unicode categories. In what is given, `\p{…}` stands in a class of characters, and `\P{…}` outside of one. */
export function portablePatterns(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'pattern' && typeof value === 'string' ? portable(value) : within(value),
    ]),
  );
}

function within(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(within);
  return typeof value === 'object' && value !== null ? portablePatterns({ ...value }) : value;
}

function portable(pattern: string): string {
  return CATEGORIES.reduce(
    (text, [category, ranges]) =>
      text.replaceAll(`\\p{${category}}`, () => ranges).replaceAll(`\\P{${category}}`, () => `[^${ranges}]`),
    pattern,
  );
}
