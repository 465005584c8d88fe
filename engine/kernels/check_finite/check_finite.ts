/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./check_finite.wgsl" with { type: "text" };

/** What is wrong with a tensor. */
export interface NonFinite {
  /** Values that are infinite or not a number. */
  readonly count: number;
  /** Coordinates of the first of them in the tensor's shape; its last one is beyond the shape for padding. */
  readonly first: readonly number[];
}

/**
 * Adds to row `slot` of `results` [slots, 4], u32 and zero at first, what `nonFiniteAt` reads: how many values of `tensor`
 * are not finite and where the first is. Nothing clears the row again.
 */
export function checkFinite(tensor: Tensor, results: Tensor, slot: number): Launch {
  if (results.pitch !== 4 || slot < 0 || slot * 4 >= results.length) {
    throw new RangeError(
      `Cannot build check_finite: results are [${results.shape}], wanted at least [${slot + 1},4]`,
    );
  }
  const { constants, grid } = elementwise(tensor.length / 4);
  return {
    name: "check_finite.count",
    wgsl,
    tensors: [tensor, results],
    constants: { ...constants, SLOT: slot },
    grid,
  };
}

/** Reads row `slot` of the results, given as the u32 values of the whole tensor; undefined when all was finite. */
export function nonFiniteAt(results: Uint32Array, slot: number, tensor: Tensor): NonFinite | undefined {
  const count = results[slot * 4]!;
  if (count === 0) return undefined;
  let index = tensor.length - results[slot * 4 + 1]!;
  const first = tensor.shape.map((_, axis) => {
    const inner = tensor.shape.slice(axis + 1);
    const stride = inner.length === 0 ? 1 : inner.slice(0, -1).reduce((a, b) => a * b, tensor.pitch);
    const at = Math.floor(index / stride);
    index -= at * stride;
    return at;
  });
  return { count, first };
}
