/** @module */
import { elementwise, type Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./rmsprop.wgsl" with { type: "text" };

/** Hyper-parameters of RMSprop that stay fixed during a run. */
export interface RmspropOptions {
  /** Decay of the running square; default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number;
  /** Default 0. */
  readonly momentum?: number;
}

/**
 * One step of torch.optim.RMSprop (not centred) on all of `parameter`. All but `hyper` (see `sgdStep`) have the same
 * length; `square` and `velocity` are zero at first. `velocity` is needed with momentum only.
 */
export function rmspropStep(
  parameter: Tensor,
  gradient: Tensor,
  state: { readonly square: Tensor; readonly velocity?: Tensor | undefined },
  hyper: Tensor,
  options: RmspropOptions = {},
): Launch {
  const { alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0 } = options;
  if (!(Math.fround(eps) > 0)) {
    // Padding has neither gradient nor sum, and 0 / 0 would make it NaN.
    throw new RangeError(`Cannot build rmsprop: eps is ${eps}, wanted above 0 in float32`);
  }
  const { constants, grid } = elementwise(parameter.length / 4);
  const used = { ...constants, ALPHA: alpha, SHARE: 1 - alpha, EPS: eps, DECAY: weightDecay };
  const tensors = [parameter, gradient, hyper, state.square];
  if (momentum === 0) return { name: "rmsprop.step", wgsl, tensors, constants: used, grid };
  if (!state.velocity) throw new RangeError("Cannot build rmsprop: momentum needs a velocity tensor");
  return {
    name: "rmsprop.step_momentum",
    wgsl,
    tensors: [...tensors, state.velocity],
    constants: { ...used, MOMENTUM: momentum },
    grid,
  };
}
