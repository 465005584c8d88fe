/**
 * Optimisers: what state they keep and which op updates the parameters.
 * @module
 */
import * as rules from "../../engine/kernels/optimizer/optimizer.ts";
import type { Plan } from "../../engine/plan.ts";
import { destroyTensor, type Tensor } from "../../engine/tensor.ts";
import type { ArenaTensors, ParameterStore } from "../../model/parameters.ts";

/** Names that `--optimizer` takes. */
export const OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop", "adagrad"] as const;

/** An optimiser's name. */
export type OptimizerName = typeof OPTIMIZERS[number];

/**
 * What a run takes where it is told nothing else. The rates are those of "Learning rates by optimiser" in docs/decisions.md. adamw takes
 * its decay off the weights themselves, times the rate, so its number is another than that of a penalty in the loss: torch.optim's.
 */
export const OPTIMIZER_DEFAULTS: Readonly<
  Record<OptimizerName, { readonly lr: number; readonly weightDecay: number }>
> = {
  sgd: { lr: 0.02, weightDecay: 5e-4 },
  adam: { lr: 3e-3, weightDecay: 5e-4 },
  adamw: { lr: 3e-3, weightDecay: 0.01 },
  rmsprop: { lr: 1e-3, weightDecay: 5e-4 },
  adagrad: { lr: 0.03, weightDecay: 5e-4 },
};

/** Options with torch.optim's names and meaning; each optimiser reads those it knows. */
export interface OptimizerOptions {
  /** Which rule. */
  readonly optimizer: OptimizerName;
  /** Of sgd and rmsprop; default 0.9 for sgd, 0 for rmsprop. */
  readonly momentum?: number | undefined;
  /** Default 0. */
  readonly weightDecay?: number | undefined;
  /** What decays: all parameters (default), or matrices and kernels alone, not biases and normalisations' scales. */
  readonly weightDecayOn?: DecayOn | undefined;
  /** Of sgd; default false. */
  readonly nesterov?: boolean | undefined;
  /** Of adam and adamw; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number] | undefined;
  /** Of all but sgd; default 1e-8, 1e-10 for adagrad. */
  readonly eps?: number | undefined;
  /** Of rmsprop: decay of the running square; default 0.99. */
  readonly alpha?: number | undefined;
  /** The pace of each group of parameters; default: all have the step's. */
  readonly paceOf?: ((group: string) => rules.Pace) | undefined;
}

/** Which parameters weight decay is for. */
export type DecayOn = "all" | "matrices";

/** Every choice, for command lines. */
export const DECAY_ON = ["all", "matrices"] as const satisfies readonly DecayOn[];

/** State in device memory and the launches of one update. */
export interface Optimizer extends Disposable {
  /** State tensors by name, one list entry per arena. */
  readonly state: ReadonlyMap<string, ArenaTensors>;
  /** Records the update of every trained arena; `params` [4] are the step's numbers, see `StepParams`. */
  build(plan: Plan, gradients: ArenaTensors, params: Tensor): void;
}

/** Which state a rule keeps for each arena, and how it records one update. */
interface Rule {
  readonly state: readonly string[];
  record(plan: Plan, tensors: rules.UpdateTensors, state: readonly Tensor[]): void;
}

function ruleOf({ optimizer, momentum, weightDecay, nesterov, betas, eps, alpha }: OptimizerOptions): Rule {
  switch (optimizer) {
    case "sgd": {
      const options = { momentum: momentum ?? 0.9, weightDecay, nesterov };
      return {
        state: ["velocity"],
        record: (plan, t, [velocity]) => rules.sgd(plan, { ...t, velocity: velocity! }, options),
      };
    }
    case "adam":
    case "adamw": {
      const options = { weightDecay, betas, eps, decoupled: optimizer === "adamw" };
      return {
        state: ["mean", "square"],
        record: (plan, t, [mean, square]) =>
          rules.adam(plan, { ...t, mean: mean!, square: square! }, options),
      };
    }
    case "rmsprop":
      return {
        state: momentum ? ["square", "velocity"] : ["square"],
        record: (plan, t, [square, velocity]) =>
          rules.rmsprop(plan, { ...t, square: square!, velocity }, { momentum, weightDecay, alpha, eps }),
      };
    case "adagrad":
      return {
        state: ["sum"],
        record: (plan, t, [sum]) => rules.adagrad(plan, { ...t, sum: sum! }, { weightDecay, eps }),
      };
  }
}

/** An optimiser over all trained parameters of `parameters`. */
export function createOptimizer(parameters: ParameterStore, options: OptimizerOptions): Optimizer {
  const rule = ruleOf(options);
  const undecayed = options.weightDecayOn === "matrices" ? ruleOf({ ...options, weightDecay: 0 }) : rule;
  const state = new Map(rule.state.map((name) => [name, parameters.zerosLike(name)]));
  return {
    state,
    build(plan, gradients, params) {
      parameters.arenas.forEach(({ values: parameter, matrices, group }, i) => {
        const gradient = gradients[i];
        if (!gradient) return;
        const own = [...state.values()].map((arenas) => arenas[i]!);
        const pace = options.paceOf?.(group);
        (matrices ? rule : undecayed).record(plan, { parameter, gradient, params, pace }, own);
      });
    },
    [Symbol.dispose]() {
      for (const arenas of state.values()) for (const t of arenas) if (t) destroyTensor(parameters.gpu, t);
    },
  };
}
