/**
 * The architectures, as lists of layers and nothing else.
 * @module
 */
import type { Layer } from "./layer.ts";
import { conv2d } from "./layers/conv2d.ts";
import { flatten } from "./layers/flatten.ts";
import { linear } from "./layers/linear.ts";
import { maxPool } from "./layers/max_pool.ts";
import { relu } from "./layers/relu.ts";
import type { Architecture, NamedLayer } from "./network.ts";

/** What an architecture is made for. */
export interface ArchitectureOptions {
  readonly classes: number;
  /** Height and width of the input; default 224. */
  readonly size?: number;
}

/** Layers numbered within a block as PyTorch's `Sequential` numbers them: `features.0`, `features.1` … */
function block(name: string, layers: readonly Layer[]): NamedLayer[] {
  return layers.map((layer, i) => ({ name: `${name}.${i}`, layer }));
}

/** Four strided convolutions and one linear layer: 111,267 parameters at three classes. */
export function compact({ classes, size = 224 }: ArchitectureOptions): Architecture {
  const side = [0, 1, 2].reduce(
    (s) => Math.floor((s - 3) / 2) + 1,
    Math.floor((Math.floor((size - 3) / 2) + 1) / 2),
  );
  return {
    name: "compact",
    input: { c: 3, h: size, w: size },
    layers: [
      ...block("features", [
        conv2d({ in: 3, out: 16, kernel: 3, stride: 2 }),
        relu(),
        maxPool({ kernel: 2 }),
        conv2d({ in: 16, out: 32, kernel: 3, stride: 2 }),
        relu(),
        conv2d({ in: 32, out: 64, kernel: 3, stride: 2 }),
        relu(),
        conv2d({ in: 64, out: 128, kernel: 3, stride: 2 }),
        relu(),
      ]),
      ...block("classifier", [flatten(), linear({ in: 128 * side * side, out: classes })]),
    ],
  };
}

/** Architectures by the name that `--model` takes. */
export const ARCHITECTURES: Readonly<Record<string, (options: ArchitectureOptions) => Architecture>> = {
  compact,
};

/** The architecture of that name; throws a `RangeError` that lists the known ones. */
export function architecture(name: string, options: ArchitectureOptions): Architecture {
  const make = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (!make) {
    throw new RangeError(
      `Cannot find model ${name}: known ones are ${Object.keys(ARCHITECTURES).join(", ")}`,
    );
  }
  return make(options);
}
