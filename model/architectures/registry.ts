/**
 * The architectures that `--model` knows, one line each.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import type { Architecture } from "../network.ts";
import { alexnet, alexnet2012 } from "./alexnet.ts";
import { compact, compactBn } from "./compact.ts";
import type { ArchitectureOptions } from "./parts.ts";
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
