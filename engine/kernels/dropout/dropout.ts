/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./dropout.wgsl" with { type: "text" };

/** How a dropout draws. */
export interface DropoutOptions {
  /** Share of the elements that become 0: from 0 to under 1. */
  readonly rate: number;
  /** u32 that keeps this layer's randomness apart from all other. */
  readonly stream: number;
}

/**
 * y = x / (1 - rate) where `hash(seed, stream, element, step)` of engine/random.ts, as a fraction, is at least `rate`, else 0.
 * `random` [4], u32, holds (seed, step, 0, 0). The element number counts x's shape row by row, so neither padding nor
 * the device changes the mask.
 */
export function dropoutForward(x: Tensor, random: Tensor, y: Tensor, options: DropoutOptions): Launch {
  const { constants: { MASK: _, ...constants }, grid } = geometry(x, y, options, false);
  return { name: "dropout.forward", wgsl, tensors: [x, random, y], constants, grid };
}

/** dx from dy with the same mask, which is computed again. With `mask`, dx is also multiplied by (x > 0). */
export function dropoutBackward(
  x: Tensor,
  random: Tensor,
  dy: Tensor,
  dx: Tensor,
  options: DropoutOptions & { mask?: boolean },
): Launch {
  const { constants, grid } = geometry(x, dy, options, options.mask ?? false);
  return { name: "dropout.backward", wgsl, tensors: [dy, random, x, dx], constants, grid };
}

function geometry(x: Tensor, y: Tensor, { rate, stream }: DropoutOptions, mask: boolean) {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`Cannot build dropout: rate is ${rate}, wanted at least 0 and under 1`);
  }
  if (`${x.shape}` !== `${y.shape}`) {
    throw new RangeError(`Cannot build dropout: shapes are [${x.shape}] and [${y.shape}]`);
  }
  const { grid, constants } = elementwise(x.length / 4);
  return {
    constants: {
      ...constants,
      C: x.shape.at(-1)!,
      C4: x.pitch / 4,
      STREAM: stream >>> 0,
      THRESHOLD: Math.ceil(rate * 2 ** 24),
      SCALE: 1 / (1 - rate),
      MASK: mask ? 1 : 0,
    },
    grid,
  };
}
