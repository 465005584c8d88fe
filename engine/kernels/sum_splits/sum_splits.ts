/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./sum_splits.wgsl" with { type: "text" };

/**
 * y = the sum over the first dimension of `parts` [S, ...y's elements], added in order of S; with `accumulate`,
 * y += that sum.
 */
export function sumSplits(parts: Tensor, y: Tensor, options: { accumulate?: boolean } = {}): Launch {
  const splits = parts.length / y.length;
  if (!Number.isInteger(splits)) {
    throw new RangeError(
      `Cannot build sum_splits: parts has ${parts.length} elements, wanted a multiple of ${y.length}`,
    );
  }
  const { grid, constants } = elementwise(y.length / 4);
  return {
    name: "sum_splits.sum",
    wgsl,
    tensors: [parts, y],
    constants: { ...constants, SPLITS: splits, ACCUMULATE: options.accumulate ? 1 : 0 },
    grid,
  };
}
