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
import { parseArgs } from "node:util";
import { type Implementation, IMPLEMENTATIONS, WEBGPU } from "../../engine/implementation.ts";
import { count } from "../../engine/text.ts";
import { type Flag, flag, UsageError } from "./flags.ts";
import { ALL, type Guide, type HelpOptions, helpText as textOf } from "./help.ts";
import { hintFor, kebabCase, nearestFlag } from "./suggest.ts";
import { terminalColumns } from "./terminal.ts";
import { userPath } from "./user_path.ts";

export { type Flag, flag, UsageError };

/** A command: its flags by camel-case name (`maxBatch` is `--max-batch`) and what may follow them. */
export interface Command<F extends Readonly<Record<string, Flag<unknown>>>> {
  /** How people call it, such as `deno task serve`. */
  readonly name: string;
  /** What it does, in a sentence or two. */
  readonly summary: string;
  /** Its flags by camel-case name. */
  readonly flags: F;
  /** Whether it opens a device: then it takes `--backend`, too, and minds it. */
  readonly usesGpu?: boolean;
  /** Arguments without a flag; absent: none are taken. */
  readonly positionals?: {
    readonly name: string;
    /** What the help text calls them together, where each is something else, such as `FROM TO`; default: the name and three dots. */
    readonly usage?: string;
    readonly min?: number;
    readonly max?: number;
    /** Whether they are files or folders. */
    readonly paths?: boolean;
  };
  /** How `--help` shows them where they are too many for a screen; `--help-all` then explains every one. */
  readonly guide?: Guide;
  /** What to say of flags that people know from elsewhere and this command does not have, by their name without dashes. */
  readonly hints?: Readonly<Record<string, string>>;
}

/** A command, whatever its flags. */
export type AnyCommand = Command<Readonly<Record<string, Flag<unknown>>>>;

/** What parsing gives: one value per flag, and the arguments without a flag. */
export type Parsed<F> =
  & { [K in keyof F]: F[K] extends Flag<infer T> ? T : never }
  & { positionals: string[] };

/** Parses `args` strictly; throws a `UsageError` that names the flag, what came and what was wanted. */
export function parseFlags<F extends Readonly<Record<string, Flag<unknown>>>>(
  args: readonly string[],
  command: Command<F>,
): Parsed<F> {
  const flags = byName(command);
  const { given, positionals } = collect(args, flags, command.hints);
  const values: Record<string, unknown> = {
    positionals: command.positionals?.paths ? positionals.map(userPath) : positionals,
  };
  for (const [name, { key, flag }] of flags) {
    const texts = given.get(name);
    if (texts === undefined) {
      if (flag.required) throw new UsageError(`--${name} is missing`);
      values[key] = flag.absent ? flag.absent() : flag.fallback;
    } else {
      values[key] = read(name, flag, texts);
    }
  }
  const { name, usage, min = 0, max = Infinity } = command.positionals ?? { name: "argument", max: 0 };
  if (positionals.length > max) {
    const wanted = usage === undefined ? "" : `, expected ${usage}`;
    throw new UsageError(`unexpected argument ${JSON.stringify(positionals[max])}${wanted}`);
  }
  if (positionals.length < min) {
    if (usage !== undefined) {
      throw new UsageError(`got ${count(positionals.length, "argument")}, expected exactly ${min}: ${usage}`);
    }
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
  const all = command.guide !== undefined && ours.includes(`--${ALL}`);
  if (all || ours.includes("--help") || ours.includes("-h")) {
    const columns = Deno.stdout.isTerminal() ? terminalColumns() : undefined;
    console.log(helpText(command, { all, ...columns && { columns } }));
    Deno.exit(0);
  }
  try {
    const values = parseFlags(args, command);
    const { backend } = values as { readonly backend?: Implementation };
    if (backend !== undefined && command.usesGpu) Deno.env.set(WEBGPU, backend);
    return values;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    exitWithUsageError(command.name, error);
  }
}

/** The text of `--help`, see help.ts. */
export function helpText(command: AnyCommand, options: HelpOptions = {}): string {
  return textOf({ ...command, flags: flagsOf(command) }, options);
}

/** `--backend`, which workers and child processes learn from the environment. */
const BACKEND_FLAG = flag.choice(IMPLEMENTATIONS, {
  help:
    `implementation of WebGPU, also as ${WEBGPU} in the environment: Deno's own, or Chrome's, which setup --dawn fetches`,
});

/** A command's own flags, and those that every one of its kind has. */
function flagsOf({ flags, usesGpu }: AnyCommand): AnyCommand["flags"] {
  return usesGpu ? { ...flags, backend: BACKEND_FLAG } : flags;
}

/** Prints what is wrong with how the command was called and exits with code 2. */
export function exitWithUsageError(name: string, error: UsageError): never {
  console.error(`${name}: ${error.message} (--help lists the flags)`);
  Deno.exit(2);
}

/** The flags that `args` hold, by their key and as people write them (`--max-batch`); throws a `UsageError` for an unknown one. */
export function givenFlags(args: readonly string[], command: AnyCommand): Map<string, string> {
  const flags = byName(command);
  return new Map(
    [...collect(args, flags, command.hints).given.keys()].map((name) => [flags.get(name)!.key, `--${name}`]),
  );
}

type Known = ReadonlyMap<string, { readonly key: string; readonly flag: Flag<unknown> }>;

function byName(command: AnyCommand): Known {
  return new Map(Object.entries(flagsOf(command)).map(([key, flag]) => [kebabCase(key), { key, flag }]));
}

/**
 * Splits the arguments, keeping every value as the text that was given. What is refused is refused here and not by `parseArgs`, whose
 * sentences are for programmers and which takes no `--json=false`.
 */
function collect(
  args: readonly string[],
  flags: Known,
  hints: AnyCommand["hints"],
): { given: Map<string, string[]>; positionals: string[] } {
  const types = [...flags].map(([name, { flag }]) =>
    [name, { type: flag.kind === "switch" ? "boolean" : "string" }] as const
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const given = new Map<string, string[]>(), positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, text } = optionOf(token, flags, hints);
    given.set(name, [...given.get(name) ?? [], text]);
  }
  return { given, positionals };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** Which flag a token means, and its value as text: of a switch `true` or `false`. */
function optionOf(
  { name, rawName, value, inlineValue }: OptionToken,
  flags: Known,
  hints: AnyCommand["hints"],
) {
  const isSwitch = (name: string) => flags.get(name)?.flag.kind === "switch";
  const negated = rawName.startsWith("--no-");
  if (negated && value === undefined && isSwitch(name.slice(3))) {
    return { name: name.slice(3), text: "false" };
  }
  if (rawName !== `--${name}` || !flags.has(name)) {
    const given = `${rawName}${negated && inlineValue ? `=${value}` : ""}`;
    const hint = hintFor(rawName, hints);
    if (hint !== undefined) throw new UsageError(`unknown flag ${given}: ${hint}`);
    const meant = meantBy(rawName, flags);
    throw new UsageError(`unknown flag ${given}${meant === undefined ? "" : `, did you mean ${meant}?`}`);
  }
  if (value === undefined && isSwitch(name)) return { name, text: "true" };
  // What follows and looks like a flag is taken for one that was meant.
  const text = inlineValue || !value?.startsWith("-") ? value : "";
  if (!text) {
    throw new UsageError(`--${name} needs a value, written --${name}=VALUE if it starts with -`);
  }
  return { name, text };
}

/** The flag that an unknown one probably means, as people write it. */
function meantBy(rawName: string, flags: Known): string | undefined {
  const names = [...flags.keys(), "help"];
  const switches = names.filter((name) => flags.get(name)?.flag.kind === "switch");
  const off = /^--no-(.+)$/.exec(rawName)?.[1];
  const negated = off === undefined ? undefined : nearestFlag(off, switches);
  if (negated !== undefined) return `--no-${negated}`;
  const nearest = nearestFlag(rawName.replace(/^-+/, ""), names);
  return nearest === undefined ? undefined : `--${nearest}`;
}

function read(name: string, flag: Flag<unknown>, texts: readonly string[]): unknown {
  try {
    return flag.parse(texts);
  } catch (error) {
    const came = texts.map((text) => JSON.stringify(text)).join(", ");
    throw new UsageError(`--${name} got ${came}, expected ${(error as Error).message}`);
  }
}
