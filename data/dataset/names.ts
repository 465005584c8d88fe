/**
 * Names of classes in sentences for people: many of them are shortened, one with a comma in it stands in quotes, as on a command line, and
 * one that may have been meant as another is pointed out.
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

/** That a name may have been meant as another one, or nothing. */
export function lookalikeHint(name: string, others: readonly string[]): string {
  const other = lookalike(name, others);
  return other ? `; "${name}" and "${other}" differ ${difference(name, other)}` : "";
}

/** What to do about classes that cannot be used: `mend` them or go without; the latter only where two others are left. */
export function withoutClasses(bad: readonly string[], all: readonly string[], mend: string): string {
  const others = all.filter((name) => !bad.includes(name));
  if (others.length < 2) return `; ${mend}`;
  const it = bad.length > 1 ? "them" : "it";
  return `; ${mend}, move ${it} away, or leave ${it} out with --classes ${shellList(others)}`;
}

/** Names as one word of a command line; of many, the first. */
function shellList(names: readonly string[]): string {
  const text = names.slice(0, 8).map(quoteName).join(",") + (names.length > 8 ? ",…" : "");
  return /[^\w.,…-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text;
}
