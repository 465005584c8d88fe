/** @module */
import type { Launch } from "../../kernel.ts";
import type { Tensor } from "../../tensor.ts";
import wgsl from "./softmax_cross_entropy.wgsl" with { type: "text" };

/** A label that leaves its row out of loss, gradient and counts: the filler of a short last batch. */
export const IGNORE_LABEL = 0xffffffff;

const GROUP = 64;

/** Tensors of the fused loss; shapes with N rows and C classes. */
export interface LossTensors {
  /** [N, C]. */
  readonly logits: Tensor;
  /** [N], u32 class indices or `IGNORE_LABEL`; or `soft` [N, C], probabilities, all zero for a row to leave out. */
  readonly target: { readonly labels: Tensor } | { readonly soft: Tensor };
  /** [C], weight of each class. */
  readonly classWeights: Tensor;
  /** [N, C], gradient of the mean loss. */
  readonly dLogits: Tensor;
  /** [N, 4]: share of the mean loss, 1 if the argmax is the label, 1 if the row counts, the row's own loss. */
  readonly result: Tensor;
}

/**
 * Softmax, cross-entropy, its gradient and the hit count in one launch; the meaning is that of PyTorch's
 * `cross_entropy(weight=classWeights, label_smoothing=labelSmoothing, reduction="mean")`.
 */
export function softmaxCrossEntropy(t: LossTensors, options: { labelSmoothing?: number } = {}): Launch {
  const [rows, classes] = t.logits.shape as [number, number];
  const smoothing = options.labelSmoothing ?? 0;
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new RangeError(
      `Cannot build softmax_cross_entropy: label smoothing is ${smoothing}, wanted at least 0 and under 1`,
    );
  }
  const hard = "labels" in t.target;
  const target = "labels" in t.target ? t.target.labels : t.target.soft;
  if (target.shape[0] !== rows || (!hard && target.shape[1] !== classes)) {
    throw new RangeError(
      `Cannot build softmax_cross_entropy: targets are [${target.shape}], logits [${t.logits.shape}]`,
    );
  }
  return {
    name: `softmax_cross_entropy.${hard ? "hard" : "soft"}`,
    wgsl,
    tensors: [t.logits, target, t.classWeights, t.dLogits, t.result],
    constants: { ROWS: rows, CLASSES: classes, PITCH: t.logits.pitch, SMOOTHING: smoothing, GROUP },
    grid: [rows, 1, 1],
  };
}

/** probabilities [N, C] = softmax(logits [N, C]). */
export function softmax(logits: Tensor, probabilities: Tensor): Launch {
  const [rows, classes] = logits.shape as [number, number];
  return {
    name: "softmax_cross_entropy.probabilities",
    wgsl,
    tensors: [logits, probabilities],
    constants: { CLASSES: classes, PITCH: logits.pitch, GROUP },
    grid: [rows, 1, 1],
  };
}

/**
 * totals [4] += the sum of `result` [N, 4] over its rows; the batch's mean loss times the gradient scale (`hyper`, second
 * value) is added to `history` [K] at the step number (third value) modulo K, so that a step of several batches leaves their
 * mean there. Sets the fourth value of `hyper` to 1 once a loss was not finite, else to 0.
 */
export function accumulateLoss(result: Tensor, hyper: Tensor, totals: Tensor, history: Tensor): Launch {
  return {
    name: "softmax_cross_entropy.accumulate",
    wgsl,
    tensors: [result, hyper, totals, history],
    constants: { ROWS: result.shape[0]!, HISTORY: history.size },
    grid: [1, 1, 1],
  };
}
