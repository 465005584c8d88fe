/**
 * Rules that update parameters: one step of torch.optim's SGD, Adam, AdamW, RMSprop and Adagrad, and a moving average. A tensor
 * here is a whole arena of parameters; `params` is the step's numbers, see `StepParams` in prelude/step_params.wgsl and
 * `stepParams` below. Padding has neither gradient nor state, so it stays zero.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withStepParams } from "../prelude/prelude.ts";
import adagradSource from "./adagrad.wgsl" with { type: "text" };
import adamSource from "./adam.wgsl" with { type: "text" };
import emaSource from "./ema.wgsl" with { type: "text" };
import pace from "./pace.wgsl" with { type: "text" };
import rmspropSource from "./rmsprop.wgsl" with { type: "text" };
import sgdSource from "./sgd.wgsl" with { type: "text" };

const WGSL = {
  adagrad: withStepParams(`${adagradSource}\n${pace}`),
  adam: withStepParams(`${adamSource}\n${pace}`),
  ema: withStepParams(emaSource),
  rmsprop: withStepParams(`${rmspropSource}\n${pace}`),
  sgd: withStepParams(`${sgdSource}\n${pace}`),
};

/** The numbers of one step. */
export interface StepParams {
  /** Learning rate. */
  readonly lr: number;
  /** Factor on the gradients: one over the batches that were added up. */
  readonly gradScale: number;
  /** Number of the step, from 1. */
  readonly step: number;
  /** Other than 0: the update changes nothing. Default 0. */
  readonly stop?: number;
}

/** The values of the tensor `params` [4], in the order of the struct in prelude/step_params.wgsl. */
export function stepParams({ lr, gradScale, step, stop = 0 }: StepParams): Float32Array {
  return Float32Array.of(lr, gradScale, step, stop);
}

/** How a group of parameters goes beside the others: discriminative rates and gradual unfreezing (Howard and Ruder 2018). */
export interface Pace {
  /** Factor on the step's learning rate; default 1. */
  readonly scale?: number | undefined;
  /** Steps at the beginning that leave parameters and state alone, default 0; bias corrections begin after them. */
  readonly rest?: number | undefined;
}

/** What every rule works on; all but `params` [4] have one length. */
export interface UpdateTensors {
  /** Is updated. */
  readonly parameter: Tensor;
  /** Not yet scaled. */
  readonly gradient: Tensor;
  /** [4], see `stepParams`. */
  readonly params: Tensor;
  /** Default: as the step says. */
  readonly pace?: Pace | undefined;
}

/** Options of stochastic gradient descent that stay fixed during a run. */
export interface SgdOptions {
  /** 0 to 1; default 0. */
  readonly momentum?: number | undefined;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number | undefined;
  /** Nesterov's look-ahead; default false. */
  readonly nesterov?: boolean | undefined;
}

/** Records one step of torch.optim.SGD. `velocity` is zero at first. */
export function sgd(
  plan: Plan,
  { parameter, gradient, params, pace, velocity }: UpdateTensors & { readonly velocity: Tensor },
  { momentum = 0, weightDecay = 0, nesterov = false }: SgdOptions = {},
): void {
  record(plan, "sgd", "step", [parameter, gradient, velocity, params], {
    ...paceOf(pace),
    MOMENTUM: momentum,
    DECAY: weightDecay,
    NESTEROV: nesterov ? 1 : 0,
  });
}

/** Options of Adam that stay fixed during a run. */
export interface AdamOptions {
  /** Decay of the running mean and of the running square, each from 0 to under 1; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number] | undefined;
  /** Above 0 in float32; default 1e-8. */
  readonly eps?: number | undefined;
  /** Default 0. */
  readonly weightDecay?: number | undefined;
  /** AdamW: the decay shrinks the parameter itself instead of adding to the gradient; default false. */
  readonly decoupled?: boolean | undefined;
}

/**
 * Records one step of torch.optim.Adam or AdamW. `mean` and `square` are zero at first; the bias corrections come from the step
 * number, on the device.
 */
export function adam(
  plan: Plan,
  { parameter, gradient, params, pace, mean, square }: UpdateTensors & {
    readonly mean: Tensor;
    readonly square: Tensor;
  },
  { betas: [beta1, beta2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0, decoupled = false }: AdamOptions = {},
): void {
  if (![beta1, beta2].every((beta) => beta >= 0 && beta < 1)) {
    throw new RangeError(`Cannot build adam: betas are ${beta1} and ${beta2}, wanted at least 0 and under 1`);
  }
  requireEps("adam", eps);
  record(plan, "adam", "step", [parameter, gradient, mean, square, params], {
    ...paceOf(pace),
    LOG_BETA1: logarithm(beta1),
    LOG_BETA2: logarithm(beta2),
    BETA2: beta2,
    SHARE1: 1 - beta1,
    SHARE2: 1 - beta2,
    EPS: eps,
    DECAY: weightDecay,
    DECOUPLED: decoupled ? 1 : 0,
  });
}

/** Options of RMSprop that stay fixed during a run. */
export interface RmspropOptions {
  /** Decay of the running square; default 0.99. */
  readonly alpha?: number | undefined;
  /** Above 0 in float32; default 1e-8. */
  readonly eps?: number | undefined;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number | undefined;
  /** Default 0. */
  readonly momentum?: number | undefined;
}

/** Records one step of torch.optim.RMSprop (not centred). `square` and `velocity` are zero at first; `velocity` goes with momentum. */
export function rmsprop(
  plan: Plan,
  { parameter, gradient, params, pace, square, velocity }: UpdateTensors & {
    readonly square: Tensor;
    readonly velocity?: Tensor | undefined;
  },
  { alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0 }: RmspropOptions = {},
): void {
  requireEps("rmsprop", eps);
  const used = { ...paceOf(pace), ALPHA: alpha, SHARE: 1 - alpha, EPS: eps, DECAY: weightDecay };
  const tensors = [parameter, gradient, params, square];
  if (momentum === 0) return record(plan, "rmsprop", "step", tensors, used);
  if (!velocity) throw new RangeError("Cannot build rmsprop: momentum needs a velocity tensor");
  record(plan, "rmsprop", "step_momentum", [...tensors, velocity], { ...used, MOMENTUM: momentum });
}

/** Options of Adagrad that stay fixed during a run. */
export interface AdagradOptions {
  /** Above 0 in float32; default 1e-10. */
  readonly eps?: number | undefined;
  /** L2 penalty added to the gradient; default 0. */
  readonly weightDecay?: number | undefined;
  /** The learning rate of step t is divided by 1 + (t - 1) lrDecay; default 0. */
  readonly lrDecay?: number | undefined;
}

/** Records one step of torch.optim.Adagrad. `sum` starts as PyTorch's initial_accumulator_value, 0 by default. */
export function adagrad(
  plan: Plan,
  { parameter, gradient, params, pace, sum }: UpdateTensors & { readonly sum: Tensor },
  { eps = 1e-10, weightDecay = 0, lrDecay = 0 }: AdagradOptions = {},
): void {
  requireEps("adagrad", eps);
  record(plan, "adagrad", "step", [parameter, gradient, sum, params], {
    ...paceOf(pace),
    EPS: eps,
    DECAY: weightDecay,
    LR_DECAY: lrDecay,
  });
}

/**
 * Records averaged = d averaged + (1 - d) parameter, same length for both, with d = min(decay, (1 + step) / (10 + step)), so that
 * the random first values are soon forgotten; `decay` is from 0 to under 1. After a stop nothing changes.
 */
export function ema(
  plan: Plan,
  { parameter, averaged, params }: {
    readonly parameter: Tensor;
    readonly averaged: Tensor;
    readonly params: Tensor;
  },
  { decay }: { readonly decay: number },
): void {
  if (!(decay >= 0 && decay < 1)) {
    throw new RangeError(`Cannot build ema: decay is ${decay}, wanted at least 0 and under 1`);
  }
  record(plan, "ema", "update", [parameter, averaged, params], { SHARE: 1 - decay });
}

function record(
  plan: Plan,
  rule: keyof typeof WGSL,
  entry: string,
  tensors: readonly Tensor[],
  used: Readonly<Record<string, number>>,
): void {
  const { constants, grid } = elementwise(tensors[0]!.length / 4);
  plan.add({
    name: `${rule}.${entry}`,
    wgsl: WGSL[rule],
    tensors,
    constants: { ...constants, ...used },
    grid,
  });
}

function paceOf({ scale = 1, rest = 0 }: Pace = {}): { LR_SCALE: number; REST: number } {
  if (!(scale >= 0 && Number.isInteger(rest) && rest >= 0)) {
    throw new RangeError(
      `Cannot build an update: its rate is scaled by ${scale} and rests for ${rest} steps, wanted 0 or more of both`,
    );
  }
  return { LR_SCALE: scale, REST: rest };
}

function requireEps(rule: string, eps: number): void {
  if (!(Math.fround(eps) > 0)) {
    // Padding has neither gradient nor sum, and 0 / 0 would make it NaN.
    throw new RangeError(`Cannot build ${rule}: eps is ${eps}, wanted above 0 in float32`);
  }
}

/** Overrides must be finite; exp(-1e6) is 0 in float32 as well. */
function logarithm(beta: number): number {
  return beta > 0 ? Math.log(beta) : -1e6;
}
