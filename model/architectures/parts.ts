/**
 * What architectures share: their options, and helpers to write layers down.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import { type Layer, type Shape, sizeOf } from "../layer.ts";
import type { NamedLayer } from "../network.ts";

/** What an architecture is made for. */
export interface ArchitectureOptions {
  /** Outputs of the last layer. */
  readonly classes: number;
  /** Height and width of the input; default 224. */
  readonly size?: number;
  /** Share of values that dropout drops, where there is dropout; default 0.5. */
  readonly dropout?: number;
}

/** Layers numbered within a block as PyTorch's `Sequential` numbers them: `features.0`, `features.1` … */
export function block(name: string, layers: readonly Layer[]): NamedLayer[] {
  return layers.map((layer, i) => ({ name: `${name}.${i}`, layer }));
}

/** A square RGB input; throws a `UserError` below the size that leaves one pixel for the last feature map. */
export function square(name: string, size: number, minimum: number): Shape {
  if (size >= minimum) return { c: 3, h: size, w: size };
  throw new UserError(
    `Cannot build ${name}: its input is ${size}x${size}, wanted at least ${minimum}x${minimum}`,
  );
}

/** Values that these layers leave of an input. */
export function featuresOf(input: Shape, layers: readonly Layer[]): number {
  return sizeOf(layers.reduce((shape, layer) => layer.describe(shape, Infinity).output, input));
}
