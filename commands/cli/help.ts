/**
 * The texts of `--help`: every flag, or, of a command that has too many for a screen, the usual ones and where the others are.
 * @module
 */
import { wrap } from "../../engine/text.ts";
import type { Flag } from "./flags.ts";
import { kebabCase } from "./suggest.ts";

/** What a short help shows, flags by their camel-case names. */
export interface Guide {
  /** Command lines to begin with, and what each does. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** The flags that most people need, each with a few words. */
  readonly usual: Readonly<Record<string, string>>;
  /** All others by what they are for. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** What a help text is made of. */
export interface Helped {
  readonly name: string;
  readonly summary: string;
  /** All flags, those that every command of its kind has included. */
  readonly flags: Readonly<Record<string, Flag<unknown>>>;
  readonly positionals?: { readonly name: string; readonly usage?: string };
  readonly guide?: Guide;
}

/** How a help text is wanted. */
export interface HelpOptions {
  /** Lines longer than this are broken between words; by default none is. */
  readonly columns?: number;
  /** Every flag, also of a command with a guide. */
  readonly all?: boolean;
}

/** The flag that explains every flag, where a guide hides some. */
export const ALL = "help-all";

/** The narrowest column of explanations that stands beside the flags and not below them. */
const LEAST_BESIDE = 24;

type Row = readonly [left: string, right: string];

/**
 * The text of `--help`: usage, summary, and a line for each flag with its default, or the command's guide to them unless `all` are wanted.
 */
export function helpText(
  command: Helped,
  { columns = Infinity, all = false }: HelpOptions = {},
): string {
  const { name, summary, flags, positionals, guide } = command;
  const after = positionals ? ` ${positionals.usage ?? `${positionals.name}…`}` : "";
  const head = [`${name} [FLAGS]${after}`, "", ...wrap(summary, columns)];
  const help: Row = ["--help", "print this text"];
  if (!guide) {
    return [...head, "", ...rowLines([...Object.entries(flags).map(rowOf), help], columns)].join("\n");
  }
  const keys = Object.keys(guide.usual);
  const groups = Object.entries(guide.groups);
  if (all) {
    const rows = (of: readonly string[]) => of.map((key) => rowOf([key, flags[key]!]));
    const width = Math.max(...Object.entries(flags).map((entry) => rowOf(entry)[0].length));
    return [
      ...head,
      ...[["Usual", keys] as const, ...groups].flatMap((
        [title, of],
      ) => ["", `${title}:`, ...rowLines(rows(of), columns, width)]),
      ...["", ...rowLines([help], columns, width)],
    ].join("\n");
  }
  const usual = Object.entries(guide.usual).map(([key, words]): Row => [leftOf(key, flags[key]!), words]);
  return [
    ...head,
    "",
    ...rowLines(guide.examples, columns),
    "",
    ...rowLines([...usual, help], columns),
    "",
    `--${ALL} explains the others, too:`,
    ...rowLines(groups.map(([title, of]): Row => [title, of.map(nameOf(flags)).join(" ")]), columns),
  ].join("\n");
}

const nameOf = (flags: Helped["flags"]) => (key: string): string => {
  const { kind, fallback } = flags[key]!;
  return kind === "switch" && fallback === true ? `--no-${kebabCase(key)}` : `--${kebabCase(key)}`;
};

function leftOf(key: string, flag: Flag<unknown>): string {
  const name = nameOf({ [key]: flag })(key);
  return flag.placeholder === "" ? name : `${name} ${flag.placeholder}`;
}

/** A flag and its explanation. */
function rowOf([key, flag]: readonly [string, Flag<unknown>]): Row {
  const shown = flag.kind === "switch" || flag.fallback === undefined ? undefined : String(flag.fallback);
  const notes = [
    ...(flag.required ? ["required"] : []),
    ...(flag.kind === "list" ? ["may be repeated"] : []),
    ...(shown === undefined || shown === "" ? [] : [`default ${shown}`]),
  ];
  return [leftOf(key, flag), notes.length > 0 ? `${flag.help} (${notes.join(", ")})` : flag.help];
}

/** Rows in two columns, or one below the other where there is no room. */
function rowLines(
  rows: readonly Row[],
  columns: number,
  width: number = Math.max(...rows.map(([left]) => left.length)),
): string[] {
  const beside = columns - width - 4, below = beside < LEAST_BESIDE;
  const indent = " ".repeat(below ? 6 : width + 4);
  return rows.flatMap(([left, right]) => {
    const [first = "", ...rest] = wrap(right, below ? columns - indent.length : beside);
    const hanging = rest.map((line) => indent + line);
    return below
      ? [`  ${left}`, indent + first, ...hanging]
      : [`  ${left.padEnd(width)}  ${first}`, ...hanging];
  });
}
