/**
 * Optimisers: what state they keep and which launches update the parameters.
 * @module
 */
import { sgdStep } from "../engine/kernels/sgd.ts";
import type { Plan } from "../engine/plan.ts";
import { destroyTensor, type Tensor } from "../engine/tensor.ts";
import type { ParameterStore } from "../model/parameters.ts";

/** Names that `--optimizer` takes. */
export const OPTIMIZERS = ["sgd"] as const;

/** An optimiser's name. */
export type OptimizerName = typeof OPTIMIZERS[number];

/** Hyper-parameters; each optimiser reads those it knows. */
export interface OptimizerOptions {
  readonly optimizer: OptimizerName;
  /** Default 0.9. */
  readonly momentum?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  readonly nesterov?: boolean;
}

/** State in device memory and the launches of one update. */
export interface Optimizer extends Disposable {
  /** State tensors by name, one list entry per arena. */
  readonly state: ReadonlyMap<string, readonly (Tensor | undefined)[]>;
  /** Records the update of every trained arena; `hyper` [4] is (learning rate, gradient scale, step from 1, 0). */
  build(plan: Plan, gradients: readonly (Tensor | undefined)[], hyper: Tensor): void;
}

/** An optimiser over all trained parameters of `parameters`. */
export function createOptimizer(parameters: ParameterStore, options: OptimizerOptions): Optimizer {
  const velocity = parameters.like("velocity");
  const { momentum = 0.9, weightDecay = 0, nesterov = false } = options;
  return {
    state: new Map([["velocity", velocity]]),
    build(plan, gradients, hyper) {
      parameters.arenas.forEach(({ values }, i) => {
        const g = gradients[i], v = velocity[i];
        if (g && v) plan.add(sgdStep(values, g, v, hyper, { momentum, weightDecay, nesterov }));
      });
    },
    [Symbol.dispose]() {
      for (const t of velocity) if (t) destroyTensor(parameters.gpu, t);
    },
  };
}
