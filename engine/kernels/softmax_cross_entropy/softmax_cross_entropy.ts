/**
 * The fused, stable softmax-cross-entropy: loss, gradient and hit count in one launch (docs/softmax_cross_entropy.md).
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { GROUP, withStepParams } from "../prelude/prelude.ts";
import source from "./softmax_cross_entropy.wgsl" with { type: "text" };

const wgsl = withStepParams(source);

/** A label that leaves its row out of loss, gradient and counts: the filler of a short last batch. */
export const IGNORE_LABEL = 0xffffffff;

/** Target classes [N], or `IGNORE_LABEL`; or `soft` [N, C], probabilities, all zero for a row to leave out. */
export type Target = { readonly labels: Tensor<"u32"> } | { readonly soft: Tensor };

/** What the loss is computed from; N rows, C classes. */
export interface LossInputs {
  /** [N, C], or any shape of that many padded elements whose last dimension is C. */
  readonly logits: Tensor;
  /** What the logits are held against. */
  readonly target: Target;
  /** [C], weight of each class. */
  readonly classWeights: Tensor;
  /** Share of the target spread over all classes, 0 (default) to under 1. */
  readonly labelSmoothing?: number | undefined;
}

/** What the loss gives. */
export interface LossOutputs {
  /** Gradient of the mean loss, in the logits' shape. */
  readonly dLogits: Tensor;
  /** [N, 4]: share of the mean loss, 1 if the argmax is the label, 1 if the row counts, the row's own loss. */
  readonly result: Tensor;
}

/**
 * Records softmax, cross-entropy, its gradient and the hit count in one launch; the meaning is that of PyTorch's
 * `cross_entropy(weight=classWeights, label_smoothing=labelSmoothing, reduction="mean")`.
 */
export function lossAndGradient(
  plan: Plan,
  { logits, target, classWeights, labelSmoothing = 0 }: LossInputs,
): LossOutputs {
  const classes = logits.shape.at(-1)!, rows = logits.size / classes;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new RangeError(
      `Cannot build softmax_cross_entropy: label smoothing is ${labelSmoothing}, wanted at least 0 and under 1`,
    );
  }
  const hard = "labels" in target;
  const wanted = hard ? target.labels : target.soft;
  if (wanted.shape[0] !== rows || (!hard && wanted.shape[1] !== classes)) {
    throw new RangeError(
      `Cannot build softmax_cross_entropy: targets are [${wanted.shape}], logits [${logits.shape}]`,
    );
  }
  const dLogits = plan.tensor(logits.shape, "d logits"), result = plan.tensor([rows, 4], "loss rows");
  plan.add({
    name: `softmax_cross_entropy.${hard ? "hard" : "soft"}`,
    wgsl,
    tensors: [logits, wanted, classWeights, dLogits, result],
    constants: { ROWS: rows, CLASSES: classes, PITCH: logits.pitch, SMOOTHING: labelSmoothing, GROUP },
    grid: [rows, 1, 1],
  });
  return { dLogits, result };
}

/** Records probabilities [N, C] = softmax(logits [N, C]); returns them. */
export function softmax(plan: Plan, { logits }: { readonly logits: Tensor }): Tensor {
  const [rows, classes] = logits.shape as [number, number];
  const probabilities = plan.tensor([rows, classes]);
  plan.add({
    name: "softmax_cross_entropy.probabilities",
    wgsl,
    tensors: [logits, probabilities],
    constants: { CLASSES: classes, PITCH: logits.pitch, GROUP },
    grid: [rows, 1, 1],
  });
  return probabilities;
}

/**
 * Records totals [4] += the sum of `result` [N, 4] over its rows; the batch's mean loss times the gradient scale of `params` is
 * added to `history` [K] at the step number modulo K, so that a step of several batches leaves their mean there. Sets the
 * params' `stop` to 1 once a loss was not finite, else to 0.
 */
export function accumulateLoss(
  plan: Plan,
  { result, params, totals, history }: {
    readonly result: Tensor;
    readonly params: Tensor;
    readonly totals: Tensor;
    readonly history: Tensor;
  },
): void {
  plan.add({
    name: "softmax_cross_entropy.accumulate",
    wgsl,
    tensors: [result, params, totals, history],
    constants: { ROWS: result.shape[0]!, HISTORY: history.size },
    grid: [1, 1, 1],
  });
}

/** Records sums [4] = the sum of `result` [N, 4] over its rows: what `accumulateLoss` adds to its totals, of this batch alone. */
export function sumLoss(
  plan: Plan,
  { result, sums }: { readonly result: Tensor; readonly sums: Tensor },
): void {
  plan.add({
    name: "softmax_cross_entropy.sum_rows",
    wgsl,
    tensors: [result, sums],
    constants: { ROWS: result.shape[0]! },
    grid: [1, 1, 1],
  });
}

/**
 * As `accumulateLoss`, for all batches of a step in their order: `records` [batches, length] begin with what `sumLoss` left, and are zero
 * for a batch that the step has not.
 */
export function accumulateBatches(
  plan: Plan,
  { records, params, totals, history }: {
    readonly records: Tensor;
    readonly params: Tensor;
    readonly totals: Tensor;
    readonly history: Tensor;
  },
): void {
  plan.add({
    name: "softmax_cross_entropy.accumulate_batches",
    wgsl,
    tensors: [records, params, totals, history],
    constants: { BATCHES: records.shape[0]!, STRIDE: records.pitch / 4, HISTORY: history.size },
    grid: [1, 1, 1],
  });
}
