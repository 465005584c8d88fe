/**
 * What an option of a run is: a schema that a field of `config.json` and a flag are made of.
 * @module
 */
import { z } from "zod";

/** A zod schema of one option; its `meta` holds the help text (`description`), what that calls the value (`value`), and whether it is a `path`. */
export interface Option<T> {
  /** The value that something stands for, the default for undefined; throws where it is wrong. */
  parse(value: unknown): T;
}

/** The values of a set of options. */
export type OptionValues<F> = { readonly [K in keyof F]: F[K] extends Option<infer T> ? T : never };

/** A probability or a share of something; 0 by default. */
export const part: z.ZodNumber = z.number().min(0).max(1);

/** A range of positive numbers, the lower one first. */
export const range = (most: number) =>
  z.tuple([z.number().min(0.01).max(most), z.number().min(0.01).max(most)]).readonly();
