/**
 * What architectures share: their options, and helpers to write layers down.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import { type Layer, type Shape, sizeOf } from "../layer.ts";
import { type Architecture, describeLayers, type NamedLayer } from "../network.ts";

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

/**
 * An architecture of square RGB inputs, whose layers may depend on the input. Throws a `UserError` that names the smallest input where
 * `size` is below it.
 */
export function squareNetwork(
  name: string,
  size: number,
  layersOf: (input: Shape) => readonly NamedLayer[],
): Architecture {
  const build = (side: number): Architecture => {
    const input = { c: 3, h: side, w: side };
    return { name, input, layers: layersOf(input) };
  };
  const smallest = smallestSide(build);
  if (size >= smallest) return build(size);
  throw new SizeError(
    `Cannot build ${name}: its input is ${size}x${size}, wanted at least ${smallest}x${smallest}`,
    smallest,
  );
}

/** An input that is too small for an architecture. */
export class SizeError extends UserError {
  /** The class's name. */
  override readonly name = "SizeError";

  /** `smallest` is the least height and width that it takes, in pixels. */
  constructor(message: string, readonly smallest: number) {
    super(message);
  }
}

/** Two inputs that are large enough for any network here, one twice as large as the other. */
const LARGE = [1024, 2048] as const;

/**
 * The smallest input in which every window finds its pixels, and whose last feature map has a pixel that does not only see padding: from
 * one of its pixels to the next it is as far as the input is wide, or nearer.
 */
function smallestSide(build: (side: number) => Architecture): number {
  const [small, large] = LARGE.map((side) =>
    describeLayers(build(side), Infinity).map(({ output }) => output.h)
  );
  const grown = small!.map((h, i) => large![i]! - h).filter((more) => more > 0);
  const step = (LARGE[1] - LARGE[0]) / Math.min(LARGE[1] - LARGE[0], ...grown);
  for (let side = Math.ceil(step); side < LARGE[0]; side++) if (fits(() => build(side))) return side;
  return LARGE[0];
}

/** Layers throw a `RangeError` where their windows do not fit, and a network a `UserError`. */
function fits(build: () => Architecture): boolean {
  try {
    describeLayers(build(), Infinity);
    return true;
  } catch (error) {
    if (error instanceof RangeError || error instanceof UserError) return false;
    throw error;
  }
}

/** Values that these layers leave of an input. */
export function featuresOf(input: Shape, layers: readonly Layer[]): number {
  return sizeOf(layers.reduce((shape, layer) => layer.describe(shape, Infinity).output, input));
}
