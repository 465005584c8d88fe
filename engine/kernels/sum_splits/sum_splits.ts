/**
 * Adds the partial sums of a split-K product, in a fixed order.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./sum_splits.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/**
 * Records y = the sum over the first dimension of `parts` [S, ...y's elements], added in order of S; with `accumulate`,
 * y += that sum.
 */
export function sum(
  plan: Plan,
  { parts, y, accumulate = false }: {
    readonly parts: Tensor;
    readonly y: Tensor;
    readonly accumulate?: boolean;
  },
): void {
  const splits = parts.length / y.length;
  if (!Number.isInteger(splits)) {
    throw new RangeError(
      `Cannot build sum_splits: parts has ${parts.length} elements, wanted a multiple of ${y.length}`,
    );
  }
  const { grid, constants } = elementwise(y.length / 4);
  plan.add({
    name: "sum_splits.sum",
    wgsl,
    tensors: [parts, y],
    constants: { ...constants, SPLITS: splits, ACCUMULATE: accumulate ? 1 : 0 },
    grid,
  });
}
