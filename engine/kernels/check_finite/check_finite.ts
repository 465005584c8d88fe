/**
 * Looks for values that are infinite or not a number.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { AnyTensor, Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./check_finite.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** What is wrong with a tensor. */
export interface NonFinite {
  /** Values that are infinite or not a number. */
  readonly count: number;
  /** Coordinates of the first of them in the tensor's shape; its last one is beyond the shape for padding. */
  readonly first: readonly number[];
}

/**
 * Records that row `slot` of `results` [slots, 4], zero at first, receives what `nonFiniteAt` reads: how many values of `x` are
 * not finite and where the first is. Nothing clears the row again.
 */
export function count(
  plan: Plan,
  { x, results, slot }: { readonly x: Tensor; readonly results: Tensor<"u32">; readonly slot: number },
): void {
  if (results.pitch !== 4 || slot < 0 || slot * 4 >= results.length) {
    throw new RangeError(
      `Cannot build check_finite: results are [${results.shape}], wanted at least [${slot + 1},4]`,
    );
  }
  const { constants, grid } = elementwise(x.length / 4);
  plan.add({
    name: "check_finite.count",
    wgsl,
    tensors: [x, results],
    constants: { ...constants, SLOT: slot },
    grid,
  });
}

/** Reads row `slot` of the results; undefined when all of `x` was finite. */
export function nonFiniteAt(results: Uint32Array, slot: number, x: AnyTensor): NonFinite | undefined {
  const count = results[slot * 4]!;
  if (count === 0) return undefined;
  let index = x.length - results[slot * 4 + 1]!;
  const first = x.shape.map((_, axis) => {
    const inner = x.shape.slice(axis + 1);
    const stride = inner.length === 0 ? 1 : inner.slice(0, -1).reduce((a, b) => a * b, x.pitch);
    const at = Math.floor(index / stride);
    index -= at * stride;
    return at;
  });
  return { count, first };
}
