/**
 * Optimisers: what state they keep and which launches update the parameters.
 * @module
 */
import { adagradStep } from "../engine/kernels/optimizer/adagrad.ts";
import { adamStep } from "../engine/kernels/optimizer/adam.ts";
import { rmspropStep } from "../engine/kernels/optimizer/rmsprop.ts";
import { sgdStep } from "../engine/kernels/optimizer/sgd.ts";
import type { Launch } from "../engine/kernel.ts";
import type { Plan } from "../engine/plan.ts";
import { destroyTensor, type Tensor } from "../engine/tensor.ts";
import type { ParameterStore } from "../model/parameters.ts";

/** Names that `--optimizer` takes. */
export const OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop", "adagrad"] as const;

/** An optimiser's name. */
export type OptimizerName = typeof OPTIMIZERS[number];

/** Hyper-parameters; each optimiser reads those it knows. */
export interface OptimizerOptions {
  readonly optimizer: OptimizerName;
  /** Of sgd and rmsprop; default 0.9 for sgd, 0 for rmsprop. */
  readonly momentum?: number | undefined;
  /** Default 0. */
  readonly weightDecay?: number | undefined;
  /** Of sgd; default false. */
  readonly nesterov?: boolean | undefined;
}

/** State in device memory and the launches of one update. */
export interface Optimizer extends Disposable {
  /** State tensors by name, one list entry per arena. */
  readonly state: ReadonlyMap<string, readonly (Tensor | undefined)[]>;
  /** Records the update of every trained arena; `hyper` [4] is (learning rate, gradient scale, step from 1, stop). */
  build(plan: Plan, gradients: readonly (Tensor | undefined)[], hyper: Tensor): void;
}

/** Which state a rule keeps for each arena, and its launch. */
interface Rule {
  readonly state: readonly string[];
  launch(values: Tensor, gradient: Tensor, state: readonly Tensor[], hyper: Tensor): Launch;
}

function ruleOf({ optimizer, momentum, weightDecay = 0, nesterov = false }: OptimizerOptions): Rule {
  switch (optimizer) {
    case "sgd": {
      const options = { momentum: momentum ?? 0.9, weightDecay, nesterov };
      return { state: ["velocity"], launch: (p, g, [v], h) => sgdStep(p, g, v!, h, options) };
    }
    case "adam":
    case "adamw": {
      const options = { weightDecay, decoupled: optimizer === "adamw" };
      return { state: ["mean", "square"], launch: (p, g, [m, s], h) => adamStep(p, g, m!, s!, h, options) };
    }
    case "rmsprop":
      return {
        state: momentum ? ["square", "velocity"] : ["square"],
        launch: (p, g, [square, velocity], h) =>
          rmspropStep(p, g, { square: square!, velocity }, h, { momentum: momentum ?? 0, weightDecay }),
      };
    case "adagrad":
      return { state: ["sum"], launch: (p, g, [sum], h) => adagradStep(p, g, sum!, h, { weightDecay }) };
  }
}

/** An optimiser over all trained parameters of `parameters`. */
export function createOptimizer(parameters: ParameterStore, options: OptimizerOptions): Optimizer {
  const rule = ruleOf(options);
  const state = new Map(rule.state.map((name) => [name, parameters.like(name)]));
  return {
    state,
    build(plan, gradients, hyper) {
      parameters.arenas.forEach(({ values }, i) => {
        const gradient = gradients[i];
        if (!gradient) return;
        plan.add(rule.launch(values, gradient, [...state.values()].map((arenas) => arenas[i]!), hyper));
      });
    },
    [Symbol.dispose]() {
      for (const arenas of state.values()) for (const t of arenas) if (t) destroyTensor(parameters.gpu, t);
    },
  };
}
