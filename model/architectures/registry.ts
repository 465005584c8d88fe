/**
 * The architectures that `--model` knows, one line each.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import type { Architecture } from "../network.ts";
import { alexnet, alexnet2012 } from "./alexnet.ts";
import { compact, compactBn } from "./compact.ts";
import { type ArchitectureOptions, SizeError } from "./parts.ts";
import { compactRes, resnet18 } from "./resnet.ts";

export type { ArchitectureOptions };

/** Architectures by the name that `--model` takes. */
export const ARCHITECTURES: Readonly<Record<string, (options: ArchitectureOptions) => Architecture>> = {
  compact,
  "compact-bn": compactBn,
  "compact-res": compactRes,
  alexnet,
  "alexnet-2012": alexnet2012,
  resnet18,
};

/** The architecture of that name; throws a `UserError` that lists the known ones. */
export function architecture(name: string, options: ArchitectureOptions): Architecture {
  const make = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (!make) {
    throw new UserError(
      `Cannot find model ${name}: known ones are ${Object.keys(ARCHITECTURES).join(", ")}`,
    );
  }
  return make(options);
}

/** The least height and width of an input in pixels that the architecture of that name takes; throws as `architecture` does. */
export function smallestSize(name: string): number {
  try {
    architecture(name, { classes: 1, size: 0 });
  } catch (error) {
    if (error instanceof SizeError) return error.smallest;
    throw error;
  }
  return 1;
}

/** Which architecture takes how small an input, in words: `61 for compact, compact-bn; 32 for resnet18`. */
export function smallestSizes(): string {
  const sizes = Map.groupBy(Object.keys(ARCHITECTURES), smallestSize);
  return [...sizes].map(([size, names]) => `${size} for ${names.join(", ")}`).join("; ");
}
