/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./adam.wgsl" with { type: "text" };

/** Hyper-parameters of Adam that stay fixed during a run. */
export interface AdamOptions {
  /** Decay of the running mean and of the running square; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** AdamW: the decay shrinks the parameter itself instead of adding to the gradient; default false. */
  readonly decoupled?: boolean;
}

/**
 * One step of torch.optim.Adam or AdamW on all of `parameter`; same length for the first four tensors, `mean` and
 * `square` zero at first. `hyper` as in `sgdStep`; the bias corrections come from its step number, on the device.
 */
export function adamStep(
  parameter: Tensor,
  gradient: Tensor,
  mean: Tensor,
  square: Tensor,
  hyper: Tensor,
  options: AdamOptions = {},
): Launch {
  const { betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0, decoupled = false } = options;
  if (![beta1, beta2].every((beta) => beta >= 0 && beta < 1)) {
    throw new RangeError(`Cannot build adam: betas are ${beta1} and ${beta2}, wanted at least 0 and under 1`);
  }
  if (!(Math.fround(eps) > 0)) {
    // Padding has neither gradient nor sum, and 0 / 0 would make it NaN.
    throw new RangeError(`Cannot build adam: eps is ${eps}, wanted above 0 in float32`);
  }
  const { constants, grid } = elementwise(parameter.length / 4);
  return {
    name: "adam.step",
    wgsl,
    tensors: [parameter, gradient, mean, square, hyper],
    constants: {
      ...constants,
      LOG_BETA1: logarithm(beta1),
      LOG_BETA2: logarithm(beta2),
      BETA2: beta2,
      SHARE1: 1 - beta1,
      SHARE2: 1 - beta2,
      EPS: eps,
      DECAY: weightDecay,
      DECOUPLED: decoupled ? 1 : 0,
    },
    grid,
  };
}

/** Overrides must be finite; exp(-1e6) is 0 in float32 as well. */
function logarithm(beta: number): number {
  return beta > 0 ? Math.log(beta) : -1e6;
}
