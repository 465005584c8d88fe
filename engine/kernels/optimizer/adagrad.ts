/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./adagrad.wgsl" with { type: "text" };

/** Hyper-parameters of Adagrad that stay fixed during a run. */
export interface AdagradOptions {
  /** Default 1e-10. */
  readonly eps?: number;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number;
  /** The learning rate of step t is divided by 1 + (t - 1) lrDecay; default 0. */
  readonly lrDecay?: number;
}

/**
 * One step of torch.optim.Adagrad on all of `parameter`; same length for the first three tensors. `sum` starts as
 * PyTorch's initial_accumulator_value (0 by default); `hyper` as in `sgdStep`.
 */
export function adagradStep(
  parameter: Tensor,
  gradient: Tensor,
  sum: Tensor,
  hyper: Tensor,
  options: AdagradOptions = {},
): Launch {
  const { eps = 1e-10, weightDecay = 0, lrDecay = 0 } = options;
  if (!(Math.fround(eps) > 0)) {
    // Padding has neither gradient nor sum, and 0 / 0 would make it NaN.
    throw new RangeError(`Cannot build adagrad: eps is ${eps}, wanted above 0 in float32`);
  }
  const { constants, grid } = elementwise(parameter.length / 4);
  return {
    name: "adagrad.step",
    wgsl,
    tensors: [parameter, gradient, sum, hyper],
    constants: { ...constants, EPS: eps, DECAY: weightDecay, LR_DECAY: lrDecay },
    grid,
  };
}
