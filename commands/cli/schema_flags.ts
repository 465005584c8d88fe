/**
 * Flags from a schema: what a configuration file may say, people may say on the command line.
 *
 * ```ts
 * const options = { batchSize: z.int().min(1).default(32).meta({ description: "images in a batch" }) };
 * parseFlags(Deno.args, { name, summary, flags: flagsOf(options) }); // --batch-size N  images in a batch (default 32)
 * ```
 * @module
 */
import { z } from "zod";
import { type Flag, flag } from "./flags.ts";

/** A zod schema of a value of type `T`. */
export interface Schema<T> {
  /** The value that something stands for; throws where it is wrong. */
  parse(value: unknown): T;
}

/** The flags that a set of schemas makes, each with its schema's type of value. */
export type FlagsOf<F> = { readonly [K in keyof F]: F[K] extends Schema<infer T> ? Flag<T> : never };

/**
 * A flag for each schema: of a string, number, whole number, choice, switch, list of strings, or tuple of numbers, either of which may be
 * optional, read-only or have a default. Ranges become the flag's; `meta` gives its help text (`description`), what that calls the
 * value (`value`), and whether a string is a file's or folder's (`path`). Throws a `TypeError` for any other schema.
 */
export function flagsOf<F extends Readonly<Record<string, Schema<unknown>>>>(fields: F): FlagsOf<F> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, schema]) => [key, flagOf(key, schema as z.ZodType)]),
  ) as unknown as FlagsOf<F>;
}

/**
 * The same flags, but one that is left out is undefined: where a schema's own default is to be told from a value that was given. The help
 * text shows the default all the same, unless the schema's `meta` has `shown: false`.
 */
export function openFlagsOf<F extends Readonly<Record<string, Schema<unknown>>>>(fields: F): OpenFlagsOf<F> {
  const flags = Object.entries(flagsOf(fields) as Readonly<Record<string, Flag<unknown>>>);
  return Object.fromEntries(flags.map(([key, flag]) => {
    const { shown } = (fields[key] as unknown as z.ZodType).meta() ?? {};
    const fallback = shown === false ? undefined : flag.fallback;
    return [key, { ...flag, fallback, absent: () => undefined }];
  })) as unknown as OpenFlagsOf<F>;
}

/** The flags of `openFlagsOf`. */
export type OpenFlagsOf<F> = {
  readonly [K in keyof F]: F[K] extends Schema<infer T> ? Flag<T | undefined> : never;
};

interface Common {
  readonly help: string;
  readonly value?: string;
  readonly required: boolean;
}

function flagOf(key: string, schema: z.ZodType): Flag<unknown> {
  const { description = "", value, path } = schema.meta() ?? {};
  const { inner, fallback, required } = unwrap(schema);
  const common: Common = { help: description, required, ...typeof value === "string" && { value } };
  // A flag's default has the type of its value, which only the schema knows here.
  const preset = { ...common, default: fallback as undefined };
  if (inner instanceof z.ZodString) return (path === true ? flag.path : flag.string)(preset);
  if (inner instanceof z.ZodNumber) {
    return (inner.isInt ? flag.int : flag.float)({ ...preset, ...rangeOf(inner) });
  }
  if (inner instanceof z.ZodEnum) return flag.choice(inner.options as string[], preset);
  if (inner instanceof z.ZodBoolean) {
    return flag.boolean({ help: description, default: fallback as boolean | undefined ?? false });
  }
  if (inner instanceof z.ZodArray && inner.element instanceof z.ZodString) {
    return flag.list({ ...preset, separator: "," });
  }
  if (inner instanceof z.ZodTuple) {
    const items = inner.def.items.map((item) => unwrap(item as z.ZodType).inner);
    if (items.every((item) => item instanceof z.ZodNumber)) return flag.floats(items.map(rangeOf), preset);
  }
  throw new TypeError(`Cannot make a flag of ${key}: its schema is of type ${inner.def.type}`);
}

/** What is inside optional, read-only and defaulted schemas. */
function unwrap(schema: z.ZodType): { inner: z.ZodType; fallback: unknown; required: boolean } {
  let inner = schema, fallback: unknown, required = true;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodReadonly) {
    if (inner instanceof z.ZodDefault) fallback = inner.def.defaultValue;
    if (!(inner instanceof z.ZodReadonly)) required = false;
    inner = inner.unwrap() as z.ZodType;
  }
  return { inner, fallback, required };
}

/** A number's bounds; a whole number always has the safe ones, which a message need not name. */
function rangeOf({ minValue, maxValue }: z.ZodNumber): { min?: number; max?: number } {
  return {
    ...minValue !== null && minValue > Number.MIN_SAFE_INTEGER && { min: minValue },
    ...maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER && { max: maxValue },
  };
}
