/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./sgd.wgsl" with { type: "text" };

/** Hyper-parameters of stochastic gradient descent that stay fixed during a run. */
export interface SgdOptions {
  /** 0 to 1; default 0. */
  readonly momentum?: number;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number;
  /** Nesterov's look-ahead; default false. */
  readonly nesterov?: boolean;
}

/**
 * One step of torch.optim.SGD on all of `parameter`; same length for the first three tensors. `hyper` [4] holds
 * (learning rate, factor on the gradient, step number from 1, stop: other than 0 changes nothing).
 */
export function sgdStep(
  parameter: Tensor,
  gradient: Tensor,
  velocity: Tensor,
  hyper: Tensor,
  options: SgdOptions = {},
): Launch {
  const { constants, grid } = elementwise(parameter.length / 4);
  const { momentum = 0, weightDecay = 0, nesterov = false } = options;
  return {
    name: "sgd.step",
    wgsl,
    tensors: [parameter, gradient, velocity, hyper],
    constants: { ...constants, MOMENTUM: momentum, DECAY: weightDecay, NESTEROV: nesterov ? 1 : 0 },
    grid,
  };
}
