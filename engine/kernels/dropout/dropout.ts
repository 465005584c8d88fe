/**
 * Dropout whose mask is a function of (seed, stream, element, step) and is never stored.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, requireSameShape, withPrelude } from "../prelude/prelude.ts";
import source from "./dropout.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** How a dropout draws. */
export interface DropoutOptions {
  /** Share of the elements that become 0: from 0 to under 1. */
  readonly rate: number;
  /** u32 that keeps this layer's randomness apart from all other. */
  readonly stream: number;
  /** [4]: (seed, step, 0, 0). */
  readonly random: Tensor<"u32">;
}

/**
 * Records y = x / (1 - rate) where `hash(seed, stream, element, step)` of engine/random.ts, as a fraction, is at least `rate`,
 * else 0; returns y. The element number counts x's shape row by row, so neither padding nor the device changes the mask.
 */
export function forward(plan: Plan, { x, ...options }: { readonly x: Tensor } & DropoutOptions): Tensor {
  const y = plan.tensor(x.shape);
  const { constants: { MASK: _, ...constants }, grid } = geometry(x, options, false);
  plan.add({ name: "dropout.forward", wgsl, tensors: [x, options.random, y], constants, grid });
  return y;
}

/**
 * Records dx from dy with the same mask, which is computed again; returns dx. With `mask`, x is a ReLU's output and dx is
 * multiplied by (x > 0).
 */
export function backward(
  plan: Plan,
  { x, dy, mask = false, ...options }:
    & { readonly x: Tensor; readonly dy: Tensor; readonly mask?: boolean }
    & DropoutOptions,
): Tensor {
  requireSameShape("dropout", x, dy);
  const dx = plan.tensor(x.shape);
  const { constants, grid } = geometry(x, options, mask);
  plan.add({ name: "dropout.backward", wgsl, tensors: [dy, options.random, x, dx], constants, grid });
  return dx;
}

function geometry(x: Tensor, { rate, stream }: DropoutOptions, mask: boolean) {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`Cannot build dropout: rate is ${rate}, wanted at least 0 and under 1`);
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
