/**
 * The flags `--size` and `--model` of commands that build networks.
 * @module
 */
import { ARCHITECTURES, smallestSize, smallestSizes } from "../../model/architectures/registry.ts";
import { flag, UsageError } from "./flags.ts";

/** `--size`; `usual` says what is taken without it. */
export function sizeFlag(usual: string) {
  const help = `height and width of the input, at least ${smallestSizes()} (default ${usual})`;
  return flag.int({ help, min: 1, max: 1024 });
}

/** Throws a `UsageError` where there is no model of that name. */
export function requireModel(name: string): void {
  if (Object.hasOwn(ARCHITECTURES, name)) return;
  throw new UsageError(`--model is ${name}, wanted one of ${Object.keys(ARCHITECTURES).join(", ")}`);
}

/** Throws a `UsageError` where `--size` is too small for one of the models. */
export function requireSize(size: number | undefined, models: readonly string[]): void {
  for (const model of models) {
    const smallest = smallestSize(model);
    if (size === undefined || size >= smallest) continue;
    throw new UsageError(`--size is ${size}, ${model} wants at least ${smallest}`);
  }
}
