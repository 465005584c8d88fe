/**
 * Strict command lines: an unknown flag, a repeated one or an unreadable value is an error that names it.
 *
 * ```ts
 * const options = parseOrExit(Deno.args, {
 *   name: "serve",
 *   summary: "Answers HTTP requests with a trained network.",
 *   flags: {
 *     port: flag.int({ help: "port to listen on", default: 8000, min: 0, max: 65535 }),
 *     maxBatch: flag.int({ help: "images in one pass at most", default: 32, min: 1 }), // --max-batch
 *   },
 * });
 * options.maxBatch; // number
 * ```
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Flag, flag, UsageError } from "./flags.ts";

export { type Flag, flag, UsageError };

/** A command: its flags by camel-case name (`maxBatch` is `--max-batch`) and what may follow them. */
export interface Command<F extends Readonly<Record<string, Flag<unknown>>>> {
  /** How people call it, such as `deno task serve`. */
  readonly name: string;
  readonly summary: string;
  readonly flags: F;
  /** Arguments without a flag; absent: none are taken. */
  readonly positionals?: { readonly name: string; readonly min?: number; readonly max?: number };
}

/** What parsing gives: one value per flag, and the arguments without a flag. */
export type Parsed<F> =
  & { [K in keyof F]: F[K] extends Flag<infer T> ? T : never }
  & { positionals: string[] };

/** Parses `args` strictly; throws a `UsageError` that names the flag, what came and what was wanted. */
export function parseFlags<F extends Readonly<Record<string, Flag<unknown>>>>(
  args: readonly string[],
  command: Command<F>,
): Parsed<F> {
  const flags = new Map(Object.entries(command.flags).map(([key, flag]) => [kebabCase(key), { key, flag }]));
  const { given, positionals, unknown } = collect(args, flags);
  const values: Record<string, unknown> = { positionals };
  for (const [name, { key, flag }] of flags) {
    const texts = given.get(name);
    if (texts === undefined) {
      if (flag.required) throw new UsageError(`--${name} is missing`);
      values[key] = flag.fallback;
    } else {
      values[key] = read(name, flag, texts);
    }
  }
  const stranger = unknown[0];
  if (stranger !== undefined) throw new UsageError(`unknown flag ${stranger}`);
  const { name, min = 0, max = Infinity } = command.positionals ?? { name: "argument", max: 0 };
  if (positionals.length > max) {
    throw new UsageError(`unexpected argument ${JSON.stringify(positionals[max])}`);
  }
  if (positionals.length < min) {
    throw new UsageError(`got ${positionals.length} ${name}, expected at least ${min}`);
  }
  return values as Parsed<F>;
}

/** `parseFlags` for a command's entry point: `--help` prints the help and exits 0, a usage error exits 2. */
export function parseOrExit<F extends Readonly<Record<string, Flag<unknown>>>>(
  args: readonly string[],
  command: Command<F>,
): Parsed<F> {
  const end = args.indexOf("--");
  const ours = end === -1 ? args : args.slice(0, end);
  if (ours.includes("--help") || ours.includes("-h")) {
    console.log(helpText(command));
    Deno.exit(0);
  }
  try {
    return parseFlags(args, command);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    exitWithUsageError(command.name, error);
  }
}

/** Prints what is wrong with how the command was called and exits with code 2. */
export function exitWithUsageError(name: string, error: UsageError): never {
  console.error(`${name}: ${error.message} (--help lists the flags)`);
  Deno.exit(2);
}

/** The text of `--help`: usage, summary, and a line for each flag with its default. */
export function helpText(command: Command<Readonly<Record<string, Flag<unknown>>>>): string {
  const rows = Object.entries(command.flags).map(([key, flag]) => {
    const name = flag.kind === "switch" && flag.fallback === true
      ? `--no-${kebabCase(key)}`
      : `--${kebabCase(key)}`;
    const left = flag.placeholder === "" ? name : `${name} ${flag.placeholder}`;
    const shown = flag.kind === "switch" || flag.fallback === undefined ? undefined : String(flag.fallback);
    const notes = [
      ...(flag.required ? ["required"] : []),
      ...(flag.kind === "list" ? ["may be repeated"] : []),
      ...(shown === undefined || shown === "" ? [] : [`default ${shown}`]),
    ];
    return [left, notes.length > 0 ? `${flag.help} (${notes.join(", ")})` : flag.help] as const;
  });
  rows.push(["--help", "print this text"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const after = command.positionals ? ` ${command.positionals.name}…` : "";
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  return [`${command.name} [FLAGS]${after}`, "", command.summary, "", ...lines].join("\n");
}

function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface Collected {
  given: Map<string, string[]>;
  positionals: string[];
  unknown: string[];
}

type Known = ReadonlyMap<string, { readonly flag: Flag<unknown> }>;

/** Lets the standard parser split the arguments, keeping every value as the text that was given. */
function collect(args: readonly string[], flags: Known): Collected {
  const switches = [...flags].filter(([, { flag }]) => flag.kind === "switch").map(([name]) => name);
  const others = [...flags].filter(([, { flag }]) => flag.kind !== "switch").map(([name]) => name);
  // The parser would read --no-port=80 as --port=80.
  const end = args.indexOf("--");
  const unknown = args.filter((arg, i) => /^--no-[^=]*=/.test(arg) && (end === -1 || i < end));
  const parsed = parseArgs(spellOut(args, new Set(switches)), {
    // Switches are spelt out as --name=true beforehand: the parser would read --name=maybe as true.
    string: [...others, ...switches, "_"],
    collect: [...others, ...switches],
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true;
      unknown.push(arg.split("=", 1)[0]!);
      return false;
    },
  }) as Record<string, unknown>;
  const given = new Map<string, string[]>();
  for (const name of flags.keys()) {
    const texts = parsed[name] as string[] | undefined;
    if (texts !== undefined && texts.length > 0) given.set(name, texts);
  }
  return { given, positionals: parsed._ as string[], unknown };
}

function spellOut(args: readonly string[], switches: ReadonlySet<string>): string[] {
  const end = args.indexOf("--");
  return args.map((arg, i) => {
    if (!arg.startsWith("--") || (end !== -1 && i >= end)) return arg;
    const name = arg.slice(2);
    if (switches.has(name)) return `${arg}=true`;
    return name.startsWith("no-") && switches.has(name.slice(3)) ? `--${name.slice(3)}=false` : arg;
  });
}

function read(name: string, flag: Flag<unknown>, texts: readonly string[]): unknown {
  if (texts.includes("")) {
    throw new UsageError(`--${name} needs a value, written --${name}=VALUE if it starts with -`);
  }
  try {
    return flag.parse(texts);
  } catch (error) {
    const came = texts.map((text) => JSON.stringify(text)).join(", ");
    throw new UsageError(`--${name} got ${came}, expected ${(error as Error).message}`);
  }
}
