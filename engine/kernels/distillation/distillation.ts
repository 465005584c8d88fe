/**
 * Distillation: a teacher's predictions as targets beside labels, and how far predictions are from targets that are
 * distributions, as cross-entropy, KL divergence and the targets' entropy.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { GROUP, withPrelude } from "../prelude/prelude.ts";
import source from "./distillation.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** What a distillation loss is made of; N rows, C classes. */
export interface DistillInputs {
  /** [N, C], or any shape of that many padded elements whose last dimension is C. */
  readonly logits: Tensor;
  /** The teacher's logits, likewise. */
  readonly teacher: Tensor;
  /** What `lossAndGradient` gave for the labels: `dLogits` is changed in place. */
  readonly labelled: { readonly dLogits: Tensor; readonly result: Tensor };
  /** Divides both networks' logits; over 0. */
  readonly temperature: number;
  /** Share of the teacher in the loss, 0 to 1; the labels have the rest. */
  readonly weight: number;
}

/** What it gives. */
export interface DistillOutputs {
  /** [N, 4] as `LossOutputs.result`, of the whole loss. */
  readonly result: Tensor;
  /** [N, 4]: cross-entropy with the teacher, KL divergence from it and its entropy, each at the temperature; 1 if the row counts. */
  readonly parts: Tensor;
}

/**
 * Records (1 - weight) * label loss + weight * T^2 * KL(softmax(teacher / T) || softmax(logits / T)), its gradient with respect to the
 * logits, and its parts (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network").
 */
export function distill(
  plan: Plan,
  { logits, teacher, labelled: { dLogits, result: labelled }, temperature, weight }: DistillInputs,
): DistillOutputs {
  const classes = logits.shape.at(-1)!, rows = logits.size / classes;
  if (teacher.shape.at(-1) !== classes || teacher.size !== logits.size) {
    throw new RangeError(
      `Cannot build distillation: the teacher's logits are [${teacher.shape}], wanted [${logits.shape}]`,
    );
  }
  if (!(temperature > 0 && weight >= 0 && weight <= 1)) {
    throw new RangeError(
      `Cannot build distillation: temperature ${temperature} and weight ${weight}, wanted over 0 and 0 to 1`,
    );
  }
  const result = plan.tensor([rows, 4], "loss rows"), parts = plan.tensor([rows, 4], "parts of the loss");
  plan.add({
    name: "distillation.distill",
    wgsl,
    tensors: [logits, teacher, labelled, dLogits, result, parts],
    constants: {
      ...{ ROWS: rows, CLASSES: classes, PITCH: logits.pitch, TEACHER_PITCH: teacher.pitch, GROUP },
      ...{ TEMPERATURE: temperature, WEIGHT: weight },
    },
    grid: [rows, 1, 1],
  });
  return { result, parts };
}

/**
 * Records parts [N, 4] of logits [N, C] against targets [N, C]: cross-entropy, KL divergence, the targets' entropy, and 1 where the row
 * counts, which one of zeros does not.
 */
export function divergence(
  plan: Plan,
  { logits, targets }: { readonly logits: Tensor; readonly targets: Tensor },
): Tensor {
  const classes = logits.shape.at(-1)!, rows = logits.size / classes;
  if (targets.shape.at(-1) !== classes || targets.size !== logits.size) {
    throw new RangeError(
      `Cannot build divergence: targets are [${targets.shape}], logits [${logits.shape}]`,
    );
  }
  const parts = plan.tensor([rows, 4], "parts of the loss");
  plan.add({
    name: "distillation.divergence",
    wgsl,
    tensors: [logits, targets, parts],
    constants: { CLASSES: classes, PITCH: logits.pitch, GROUP },
    grid: [rows, 1, 1],
  });
  return parts;
}

/** Records totals [4] += the sum over the rows of parts [N, 4], or of four columns of wider rows from `column` on, a multiple of 4. */
export function addUp(
  plan: Plan,
  { parts, totals, column = 0 }: {
    readonly parts: Tensor;
    readonly totals: Tensor;
    readonly column?: number;
  },
): void {
  plan.add({
    name: "distillation.add_up",
    wgsl,
    tensors: [parts, totals],
    constants: { ROWS: parts.shape[0]!, STRIDE: parts.pitch / 4, OFFSET: column / 4 },
    grid: [1, 1, 1],
  });
}
