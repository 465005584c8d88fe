/**
 * Runs PyTorch's optimiser cases.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import {
  adagradBuilder,
  adamBuilder,
  rmspropBuilder,
  sgdBuilder,
} from "../../engine/kernels/optimizer/cases.ts";
import { paddingChecks } from "../../engine/verify/device.ts";
import { runOptimizer, type StepBuilder } from "../../engine/kernels/optimizer/run.ts";
import { type Fixture, Params, required } from "./fixture.ts";

/** Runs the steps of a case named `algorithm, what is special`; parameters have PyTorch's names. */
export async function optimizer(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const params = new Params(fixture);
  const learningRate = params.number("lr");
  const algorithm = /^\w+/.exec(fixture.name)?.[0]?.toLowerCase() ?? "";
  const build = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
  if (!build) throw new Error(`Cannot run optimizer (${fixture.name}): ${algorithm} is not known here`);
  const steps = build(params);
  params.end();
  const { grads, after } = fixture;
  if (!Array.isArray(grads) || !Array.isArray(after)) {
    throw new Error(`optimizer ${fixture.name} has no list of steps`);
  }
  const initial = required(fixture.initial, fixture, "initial").data;
  const run = { initial, gradients: grads.map(({ data }) => data), learningRate };
  const found = await runOptimizer(gpu, run, steps);
  if (found.length !== after.length) throw new Error(`optimizer ${fixture.name} has steps without result`);
  return found.flatMap((output, i) => [
    ...paddingChecks({ parameter: output }),
    compare(`after step ${i + 1}`, output.values, after[i]!.data),
  ]);
}

const ALGORITHMS: Readonly<Record<string, (p: Params) => StepBuilder>> = {
  sgd(p) {
    p.only("dampening", 0);
    const momentum = p.number("momentum", 0), weightDecay = p.number("weight_decay", 0);
    return sgdBuilder({ momentum, weightDecay, nesterov: p.flag("nesterov") });
  },
  adam: (p) => adamBuilder(adamOptions(p, 0, false)),
  adamw: (p) => adamBuilder(adamOptions(p, 0.01, true)),
  rmsprop(p) {
    p.only("centered", false);
    return rmspropBuilder({
      alpha: p.number("alpha", 0.99),
      eps: p.number("eps", 1e-8),
      weightDecay: p.number("weight_decay", 0),
      momentum: p.number("momentum", 0),
    });
  },
  adagrad(p) {
    const options = {
      eps: p.number("eps", 1e-10),
      weightDecay: p.number("weight_decay", 0),
      lrDecay: p.number("lr_decay", 0),
    };
    return adagradBuilder(options, p.number("initial_accumulator_value", 0));
  },
};

function adamOptions(p: Params, weightDecay: number, decoupled: boolean) {
  p.only("amsgrad", false);
  const [beta1, beta2] = p.values("betas")?.data ?? [0.9, 0.999];
  return {
    betas: [beta1!, beta2!] as const,
    eps: p.number("eps", 1e-8),
    weightDecay: p.number("weight_decay", weightDecay),
    decoupled,
  };
}
