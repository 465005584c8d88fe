/**
 * Names of classes in sentences for people: many of them are shortened, and one with a comma in it stands in quotes, as on a command line.
 * @module
 */

/** Characters that a list of names takes unless told otherwise: a line, where nobody knows how wide one is. */
const WIDTH = 100;

/** The names with commas between them, those that do not fit in `width` characters counted: `a, b, c, … and 112 more`. */
export function nameList(names: readonly string[], width: number = WIDTH): string {
  const quoted = names.map(quoteName), whole = quoted.join(", ");
  if (whole.length <= width || names.length < 3) return whole;
  const rest = (shown: number) => `, … and ${names.length - shown} more`;
  let shown = 1, length = quoted[0]!.length;
  while (length + 2 + quoted[shown]!.length + rest(shown + 1).length <= width) {
    length += 2 + quoted[shown++]!.length;
  }
  return quoted.slice(0, shown).join(", ") + rest(shown);
}

/** A name as a list on a command line takes it. */
export function quoteName(name: string): string {
  return /[",\n]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/** A name out of `others` that looks like `name` and is not it: another case, or accents that are composed otherwise. */
export function lookalike(name: string, others: Iterable<string>): string | undefined {
  const plain = (text: string) => text.normalize("NFC").toLowerCase();
  for (const other of others) if (other !== name && plain(other) === plain(name)) return other;
  return undefined;
}

/** How two lookalikes differ, for a sentence. */
export function difference(a: string, b: string): string {
  return a.normalize("NFC") === b.normalize("NFC")
    ? "in how their accents are encoded (Unicode normal form) only"
    : "in case only";
}
