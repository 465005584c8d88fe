/**
 * The kinds of command-line flags: what text each accepts and what value it stands for.
 * @module
 */
import { parse } from "@std/csv/parse";
import { shownPath, userPath } from "./user_path.ts";

/** Something is wrong with how a command was called; commands print it and exit with code 2. */
export class UsageError extends Error {
  /** The class's name. */
  override readonly name = "UsageError";
}

/** One flag. `T` is the type its value has after parsing, `undefined` included where it may be left out. */
export interface Flag<T> {
  /** A switch stands alone (`--json`, `--no-json`), a value follows its name, a list may be repeated. */
  readonly kind: "switch" | "value" | "list";
  /** What the help text calls the value, such as `PATH`. */
  readonly placeholder: string;
  /** One sentence for the help text. */
  readonly help: string;
  /** The value without the flag. */
  readonly fallback: T;
  /** Leaving the flag out is an error. */
  readonly required: boolean;
  /** The value without the flag, where it is not `fallback` itself. */
  readonly absent?: () => T;
  /** Turns the texts given (at least one) into the value; throws a plain `Error` that says what was wanted. */
  parse(texts: readonly string[]): T;
}

interface Options<D, R> {
  /** One sentence for the help text. */
  help: string;
  /** What the help text calls the value. */
  value?: string;
  default?: D;
  /** Leaving the flag out is an error. */
  required?: R;
}

/** The type of a flag with default `D`: without a default it may be undefined, unless it is required. */
type Value<T, D, R> = R extends true ? T : T | D;

function single<T, D, R>(
  options: Options<D, R>,
  placeholder: string,
  read: (text: string) => T,
): Flag<Value<T, D, R>> {
  return {
    kind: "value",
    placeholder: options.value ?? placeholder,
    help: options.help,
    fallback: options.default as Value<T, D, R>,
    required: options.required === true,
    parse: (texts) => {
      if (texts.length > 1) throw new Error("one value, as it cannot be repeated");
      return read(texts[0]!) as Value<T, D, R>;
    },
  };
}

function string<D extends string | undefined = undefined, R extends boolean = false>(
  options: Options<D, R>,
): Flag<Value<string, D, R>> {
  return single(options, "TEXT", (text) => text);
}

/** A file or folder, given from the folder that people are in; a default lies in the one that the program runs in. */
function path<D extends string | undefined = undefined, R extends boolean = false>(
  options: Options<D, R>,
): Flag<Value<string, D, R>> {
  const found = single(options, "PATH", userPath);
  const { fallback } = found;
  return typeof fallback === "string"
    ? { ...found, absent: () => shownPath(fallback) as Value<string, D, R> }
    : found;
}

interface Range {
  min?: number;
  max?: number;
}

function inRange(value: number, { min = -Infinity, max = Infinity }: Range, what: string): number {
  if (value >= min && value <= max) return value;
  if (max === Infinity) throw new Error(`${what} of at least ${min}`);
  if (min === -Infinity) throw new Error(`${what} of at most ${max}`);
  throw new Error(`${what} from ${min} to ${max}`);
}

function int<D extends number | undefined = undefined, R extends boolean = false>(
  options: Options<D, R> & Range,
): Flag<Value<number, D, R>> {
  return single(options, "N", (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw new Error("a whole number");
    return inRange(value, options, "a whole number");
  });
}

/** A whole number, or a word that stands for one which is not known yet. */
function intOr<const T extends string>(
  word: T,
  options: Options<undefined, false> & Range,
): Flag<number | T | undefined> {
  const number = int(options);
  return {
    ...number,
    placeholder: `N|${word}`,
    parse: (texts) => {
      if (texts.length === 1 && texts[0] === word) return word;
      try {
        return number.parse(texts);
      } catch (error) {
        throw new Error(`${(error as Error).message}, or ${word}`);
      }
    },
  };
}

function float<D extends number | undefined = undefined, R extends boolean = false>(
  options: Options<D, R> & Range,
): Flag<Value<number, D, R>> {
  return single(options, "X", (text) => readFloat(text, options));
}

function readFloat(text: string, range: Range): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value)) throw new Error("a number");
  return inRange(value, range, "a number");
}

function floats<D extends readonly number[] | undefined = undefined, R extends boolean = false>(
  ranges: readonly Range[],
  options: Options<D, R>,
): Flag<Value<number[], D, R>> {
  return single(options, ranges.map(() => "X").join(","), (text) => {
    const parts = text.split(",");
    if (parts.length !== ranges.length) throw new Error(`${ranges.length} numbers with commas between them`);
    return parts.map((part, i) => readFloat(part.trim(), ranges[i]!));
  });
}

function choice<const T extends string, const D extends T | undefined = undefined, R extends boolean = false>(
  choices: readonly T[],
  options: Options<D, R>,
): Flag<Value<T, D, R>> {
  return single(options, choices.join("|"), (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new Error(`one of ${choices.join(", ")}`);
    return found;
  });
}

function boolean(options: { help: string; default?: boolean }): Flag<boolean> {
  return {
    kind: "switch",
    placeholder: "",
    help: options.help,
    fallback: options.default ?? false,
    required: false,
    parse: (texts) => {
      const text = texts.at(-1)!;
      if (text !== "true" && text !== "false") throw new Error("true or false");
      return text === "true";
    },
  };
}

function list<D extends readonly string[] | undefined = undefined, R extends boolean = false>(
  options: Options<D, R> & {
    /** Also splits each value at commas as CSV does, so that `--classes a,b` is two items and `"a, b",c` too. */
    separator?: ",";
  },
): Flag<Value<string[], D, R>> {
  const { separator } = options;
  return {
    ...single(options, "TEXT", (text) => [text]),
    kind: "list",
    help: separator === undefined
      ? options.help
      : `${options.help}; one with a comma in it stands in quotes: '"a, b",c'`,
    parse: (texts) => {
      const items = texts.flatMap((text) => separator === undefined ? [text] : fieldsOf(text));
      const trimmed = items.map((item) => item.trim());
      if (trimmed.includes("")) throw new Error("items that are not empty");
      return trimmed as Value<string[], D, R>;
    },
  };
}

/** The fields of a line of CSV. */
function fieldsOf(text: string): string[] {
  if (!text.includes('"')) return text.split(",");
  try {
    return parse(text, { trimLeadingSpace: true }).flat();
  } catch {
    throw new Error(
      `items as in CSV: one with a comma or a quote in it stands in quotes, '"a, b","a ""b"""'`,
    );
  }
}

/** The kinds of flags: `flag.int({ help, default, min, max })` and so on. */
export const flag = { string, path, int, intOr, float, floats, choice, boolean, list };
