/**
 * Optimisers: several steps on one arena against PyTorch's formulas; and what runs beside them, clipping and averaging.
 * @module
 */
import { type Case, compare } from "../../verify/case.ts";
import { paddingChecks, runOnce, upload } from "../../verify/device.ts";
import { normals } from "../../verify/sample.ts";
import { clip } from "./global_norm.ts";
import * as rules from "./optimizer.ts";
import { adagrad, adam, clipFactor, rmsprop, sgd } from "./reference.ts";
import { type OptimizerRun, runOptimizer, type StepBuilder } from "./run.ts";

/** A reference step: changes p in place. `t` counts from 1, `state(name)` starts as zeros. */
type ReferenceStep = (
  p: Float64Array,
  gradient: Float64Array,
  t: number,
  state: (name: string) => Float64Array,
) => void;

/** Steps of stochastic gradient descent. */
export function sgdBuilder(options: rules.SgdOptions): StepBuilder {
  return (plan, tensors, state) => rules.sgd(plan, { ...tensors, velocity: state("velocity") }, options);
}

/** Steps of Adam or AdamW. */
export function adamBuilder(options: rules.AdamOptions): StepBuilder {
  return (plan, tensors, state) =>
    rules.adam(plan, { ...tensors, mean: state("mean"), square: state("square") }, options);
}

/** Steps of RMSprop. */
export function rmspropBuilder(options: rules.RmspropOptions): StepBuilder {
  return (plan, tensors, state) => {
    const velocity = options.momentum ? state("velocity") : undefined;
    rules.rmsprop(plan, { ...tensors, square: state("square"), velocity }, options);
  };
}

/** Steps of Adagrad; `initial` is the first value of its sum. */
export function adagradBuilder(options: rules.AdagradOptions, initial = 0): StepBuilder {
  return (plan, tensors, state) => rules.adagrad(plan, { ...tensors, sum: state("sum", initial) }, options);
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
        // What rests counts its steps from when it no longer does.
        const t = i + 1 - (run.pace?.rest ?? 0);
        if (!run.stop && t > 0) step(p, Float64Array.from(gradients[i]!, (g) => g * scale), t, state);
        return [...paddingChecks({ parameter: output }), compare(`after step ${i + 1}`, output.values, p)];
      });
    },
  };
}

/** The rate of a run's steps for the reference, whose steps have no pace. */
function rateOf(run?: Pick<OptimizerRun, "pace">): number {
  return 0.01 * (run?.pace?.scale ?? 1);
}

function sgdCase(options: rules.SgdOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, _, state) =>
    sgd(p, g, { velocity: state("velocity") }, { lr: rateOf(run), ...options });
  return optimizer("sgd", note, sgdBuilder(options), step, run);
}

function adamCase(options: rules.AdamOptions, note: string, run?: Parameters<typeof optimizer>[4]): Case {
  const step: ReferenceStep = (p, g, t, state) =>
    adam(p, g, { mean: state("mean"), square: state("square") }, t, { lr: rateOf(run), ...options });
  return optimizer("adam", note, adamBuilder(options), step, run);
}

function rmspropCase(
  options: rules.RmspropOptions,
  note: string,
  run?: Parameters<typeof optimizer>[4],
): Case {
  const step: ReferenceStep = (p, g, _, state) =>
    rmsprop(p, g, { square: state("square"), velocity: state("velocity") }, { lr: rateOf(run), ...options });
  return optimizer("rmsprop", note, rmspropBuilder(options), step, run);
}

function adagradCase(
  options: rules.AdagradOptions,
  note: string,
  run?: Parameters<typeof optimizer>[4],
): Case {
  const step: ReferenceStep = (p, g, t, state) =>
    adagrad(p, g, { sum: state("sum") }, t, { lr: rateOf(run), ...options });
  return optimizer("adagrad", note, adagradBuilder(options), step, run);
}

function clipCase(sizes: readonly number[], maxNorm: number, note: string, scale = 1): Case {
  return {
    op: "global_norm",
    name: `${sizes.join(" + ")} values, at most ${maxNorm}${note}`,
    async run(gpu) {
      const gradients = sizes.map((size, i) => normals(i, [size], 0.1));
      const found = await runOnce(gpu, "global_norm", (plan) => {
        const tensors = gradients.map((gradient) => upload(plan, "gradient", gradient));
        const data = rules.stepParams({ lr: 0.1, gradScale: scale, step: 7 });
        const params = upload(plan, "params", { shape: [4], data });
        return { params, norm: clip(plan, { gradients: tensors, params, maxNorm }) };
      });
      const scaled = gradients.map(({ data }) => Float64Array.from(data, (g) => g * scale));
      const { norm, factor } = clipFactor(scaled, maxNorm);
      return [
        ...paddingChecks(found),
        compare("norm and factor", found.norm.values, [norm, factor, 0, 0]),
        compare("params", found.params.values, [0.1, scale * factor, 7, 0]),
      ];
    },
  };
}

function emaCase(size: number, decay: number, step: number, stop = 0): Case {
  return {
    op: "ema",
    name: `${size} values, decay ${decay}, step ${step}${stop ? ", stopped" : ""}`,
    async run(gpu) {
      const p = normals(1, [size]), old = normals(2, [size]);
      const found = await runOnce(gpu, "ema", (plan) => {
        const averaged = upload(plan, "averaged", old);
        const data = rules.stepParams({ lr: 0.1, gradScale: 1, step, stop });
        const params = upload(plan, "params", { shape: [4], data });
        rules.ema(plan, { parameter: upload(plan, "parameter", p), averaged, params }, { decay });
        return { averaged };
      });
      const kept = stop ? 1 : Math.min(decay, (1 + step) / (10 + step));
      const wanted = Array.from(p.data, (v, i) => kept * old.data[i]! + (1 - kept) * v);
      return [...paddingChecks(found), compare("averaged", found.averaged.values, wanted)];
    },
  };
}

/** Cases of optimisers. */
export const optimizerCases: readonly Case[] = [
  sgdCase({}, ""),
  sgdCase({ momentum: 0.9, weightDecay: 5e-4 }, "momentum 0.9, weight decay 5e-4"),
  sgdCase({ momentum: 0.9, nesterov: true, weightDecay: 1e-3 }, "Nesterov"),
  sgdCase({ momentum: 0.9 }, "gradients scaled by 1/8", { scale: 0.125 }),
  sgdCase({ momentum: 0.9 }, "stopped", { stop: 1 }),
  sgdCase({ momentum: 0.9 }, "large", { size: 300_001, steps: 2 }),
  sgdCase({ momentum: 0.9, weightDecay: 5e-4 }, "at a tenth of the rate, after 2 steps", {
    pace: { scale: 0.1, rest: 2 },
  }),
  adamCase({}, "at a tenth of the rate, after 2 steps", { pace: { scale: 0.1, rest: 2 } }),
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
  rmspropCase({ momentum: 0.9 }, "at twice the rate, after 3 steps", { pace: { scale: 2, rest: 3 } }),
  adagradCase({}, ""),
  adagradCase({ lrDecay: 0.1 }, "at twice the rate, after a step", { pace: { scale: 2, rest: 1 } }),
  adagradCase({ lrDecay: 0.1, eps: 1e-3, weightDecay: 0.1 }, "rate decay 0.1, eps 1e-3, weight decay 0.1"),
  adagradCase({}, "stopped", { stop: 1 }),
  clipCase([1], 1, ""),
  clipCase([37, 50, 1], 0.5, ""),
  clipCase([37, 50, 1], 1e3, ", nothing to clip"),
  clipCase([37, 50], 0.1, ", gradients scaled by 1/8", 0.125),
  clipCase([1_300_001, 70_001], 1, ", large"),
  emaCase(1, 0.9, 1),
  emaCase(37, 0.999, 20_000),
  emaCase(37, 0.9, 3, 1),
  emaCase(300_001, 0, 7),
];
