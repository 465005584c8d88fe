/**
 * Optimisers: several steps on one arena against PyTorch's formulas.
 * @module
 */
import { type AdagradOptions, adagradStep } from "./adagrad.ts";
import { type AdamOptions, adamStep } from "./adam.ts";
import { type RmspropOptions, rmspropStep } from "./rmsprop.ts";
import { type SgdOptions, sgdStep } from "./sgd.ts";
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks } from "../../verify/device.ts";
import { type OptimizerRun, runOptimizer, type StepBuilder } from "./optimizer_case.ts";
import { adagrad, adam, rmsprop, sgd } from "./reference.ts";
import { normals } from "../../verify/sample.ts";

/** A reference step: changes p in place. `t` counts from 1, `state(name)` starts as zeros. */
type ReferenceStep = (
  p: Float64Array,
  gradient: Float64Array,
  t: number,
  state: (name: string) => Float64Array,
) => void;

/** Steps of stochastic gradient descent. */
export function sgdBuilder(options: SgdOptions): StepBuilder {
  return ({ parameter, gradient, hyper }, state) => [
    sgdStep(parameter, gradient, state("velocity"), hyper, options),
  ];
}

/** Steps of Adam or AdamW. */
export function adamBuilder(options: AdamOptions): StepBuilder {
  return ({ parameter, gradient, hyper }, state) => [
    adamStep(parameter, gradient, state("mean"), state("square"), hyper, options),
  ];
}

/** Steps of RMSprop. */
export function rmspropBuilder(options: RmspropOptions): StepBuilder {
  return ({ parameter, gradient, hyper }, state) => {
    const velocity = options.momentum ? state("velocity") : undefined;
    return [rmspropStep(parameter, gradient, { square: state("square"), velocity }, hyper, options)];
  };
}

/** Steps of Adagrad; `initial` is the first value of its sum. */
export function adagradBuilder(options: AdagradOptions, initial = 0): StepBuilder {
  return ({ parameter, gradient, hyper }, state) => [
    adagradStep(parameter, gradient, state("sum", initial), hyper, options),
  ];
}

function optimizer(
  op: string,
  note: string,
  build: StepBuilder,
  step: ReferenceStep,
  run: Partial<OptimizerRun> & { size?: number; steps?: number } = {},
): Case {
  const { size = 37, steps = 5, scale = 1 } = run;
  return {
    op,
    name: `${size} values, ${steps} steps${note && ", "}${note}`,
    async run(gpu) {
      // No larger than what the steps add, so that a wrong step shows.
      const initial = normals(1, [size], 0.01).data;
      const gradients = Array.from({ length: steps }, (_, i) => normals(2 + i, [size], 0.5).data);
      const learningRate = 0.01;
      const after = await runOptimizer(gpu, { initial, gradients, learningRate, ...run }, build);
      const p = Float64Array.from(initial);
      const states = new Map<string, Float64Array>();
      const state = (name: string) => {
        const values = states.get(name) ?? new Float64Array(size);
        states.set(name, values);
        return values;
      };
      return after.flatMap((output, i) => {
        if (!run.stop) step(p, Float64Array.from(gradients[i]!, (g) => g * scale), i + 1, state);
        return [...paddingChecks({ parameter: output }), compare(`after step ${i + 1}`, output.values, p)];
      });
    },
  };
}

function sgdCase(options: SgdOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, _, state) =>
    sgd(p, g, { velocity: state("velocity") }, { lr: 0.01, ...options });
  return optimizer("sgd", note, sgdBuilder(options), step, run);
}

function adamCase(options: AdamOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, t, state) =>
    adam(p, g, { mean: state("mean"), square: state("square") }, t, { lr: 0.01, ...options });
  return optimizer("adam", note, adamBuilder(options), step, run);
}

function rmspropCase(options: RmspropOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, _, state) =>
    rmsprop(p, g, { square: state("square"), velocity: state("velocity") }, { lr: 0.01, ...options });
  return optimizer("rmsprop", note, rmspropBuilder(options), step, run);
}

function adagradCase(options: AdagradOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, t, state) =>
    adagrad(p, g, { sum: state("sum") }, t, { lr: 0.01, ...options });
  return optimizer("adagrad", note, adagradBuilder(options), step, run);
}

/** Cases of optimisers. */
export const optimizerCases: readonly Case[] = [
  sgdCase({}, ""),
  sgdCase({ momentum: 0.9, weightDecay: 5e-4 }, "momentum 0.9, weight decay 5e-4"),
  sgdCase({ momentum: 0.9, nesterov: true, weightDecay: 1e-3 }, "Nesterov"),
  sgdCase({ momentum: 0.9 }, "gradients scaled by 1/8", { scale: 0.125 }),
  sgdCase({ momentum: 0.9 }, "stopped", { stop: 1 }),
  sgdCase({ momentum: 0.9 }, "large", { size: 300_001, steps: 2 }),
  adamCase({}, ""),
  adamCase({ weightDecay: 0.1 }, "weight decay 0.1"),
  adamCase({ weightDecay: 0.1, decoupled: true }, "AdamW, weight decay 0.1"),
  adamCase({ betas: [0, 0.5], eps: 1e-3 }, "betas 0 and 0.5, eps 1e-3"),
  adamCase({}, "corrected bias", { steps: 60, size: 5 }),
  adamCase({}, "stopped", { stop: 1 }),
  adamCase({}, "large", { size: 300_001, steps: 2, scale: 0.5 }),
  rmspropCase({}, ""),
  rmspropCase({ alpha: 0.9, eps: 1e-3, weightDecay: 0.1 }, "alpha 0.9, eps 1e-3, weight decay 0.1"),
  rmspropCase({ momentum: 0.9 }, "momentum 0.9"),
  rmspropCase({ momentum: 0.9 }, "momentum 0.9, stopped", { stop: 1 }),
  rmspropCase({}, "stopped", { stop: 1 }),
  adagradCase({}, ""),
  adagradCase({ lrDecay: 0.1, eps: 1e-3, weightDecay: 0.1 }, "rate decay 0.1, eps 1e-3, weight decay 0.1"),
  adagradCase({}, "stopped", { stop: 1 }),
];
