/**
 * The training step of a classifier, assembled in one place: forward, loss, backward, and the tensors that a step reads and writes.
 * The trainer, the benches, `doctor` and the tests all run this.
 * @module
 */
import { addUp, distill, divergence } from "../engine/kernels/distillation/distillation.ts";
import { type StepParams, stepParams } from "../engine/kernels/optimizer/optimizer.ts";
import {
  accumulateLoss,
  IGNORE_LABEL,
  lossAndGradient,
} from "../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import type { Plan } from "../engine/plan.ts";
import { destroyTensor, readTensor, type Tensor, writeTensor } from "../engine/tensor.ts";
import { BatchRecords } from "./batch_records.ts";
import type { Network, Section } from "./network.ts";
import type { ArenaTensors } from "./parameters.ts";

/** How a step is built. */
export interface TrainingStepOptions {
  /** Images in one pass. */
  readonly batch: number;
  /** Records what fills the input x [N, H, W, C]; left out: the caller writes it. */
  readonly input?: (plan: Plan, x: Tensor) => void;
  /** Gradients add to those that are there, for steps of several batches; default false. */
  readonly accumulate?: boolean;
  /** 0 (default) to under 1. */
  readonly labelSmoothing?: number | undefined;
  /** Weight of each class in the loss; default 1. */
  readonly classWeights?: readonly number[] | undefined;
  /** Targets are shares of classes, so that samples may have several; default false, unless there is a teacher. */
  readonly soft?: boolean;
  /** Whether to measure how far predictions are from soft targets; default false. */
  readonly divergence?: boolean;
  /** A network whose predictions are targets, too. */
  readonly teacher?: TeacherTarget | undefined;
  /** Steps whose losses the device remembers; default 1. */
  readonly history?: number;
  /** Batches of a step, each of which leaves its losses and statistics in a record; default: they are added up as they come. */
  readonly records?: number | undefined;
}

/** What a sample is: the index of its class, or a probability for each class. */
export type Label = number | Float32Array;

/** Second labels of a batch's samples, where they are mixed. */
export interface MixedLabels {
  /** Of each sample's own label; the other one has the rest. */
  readonly share: number;
  /** One for each sample. */
  readonly others: ArrayLike<Label>;
}

/** A teacher's part in the loss (docs/distillation.md). */
export interface TeacherTarget {
  /** Records its forward pass on the batch, of the same classes; returns its logits. */
  readonly logits: (plan: Plan) => Tensor;
  /** Divides both networks' logits; over 0. */
  readonly temperature: number;
  /** Its share of the loss, 0 to 1; the labels have the rest. */
  readonly weight: number;
}

/** A step recorded into a plan, which owns its tensors; this owns the gradients alone. */
export class TrainingStep implements Disposable {
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [N]; `IGNORE_LABEL` leaves a row out. */
  readonly labels: Tensor<"u32">;
  /** [N, classes] where targets are soft; a row of zeros is left out. */
  readonly targets: Tensor | undefined;
  /** [4]: the step's numbers, see `StepParams`. */
  readonly params: Tensor;
  /** [4]: (seed, step, 0, 0), for dropout. */
  readonly random: Tensor<"u32">;
  /** [4]: sums over all batches of loss shares, hits, images, losses. */
  readonly totals: Tensor;
  /** [4]: sums over all batches of cross-entropy, KL divergence and entropy of the targets, images; where they are measured. */
  readonly parts: Tensor | undefined;
  /** [history]: mean loss of each step, at the step number modulo its length. */
  readonly history: Tensor;
  /** [N, 4], see `LossOutputs`. */
  readonly result: Tensor;
  /** [N, 1, 1, classes]. */
  readonly logits: Tensor;
  /** Where each layer's launches lie. */
  readonly sections: readonly Section[];
  /** One for each trained arena of parameters. */
  readonly gradients: ArenaTensors;
  /** What batches leave behind, where it is kept apart. */
  readonly records: BatchRecords | undefined;

  /** Records forward, loss and backward. */
  constructor(readonly plan: Plan, readonly network: Network, options: TrainingStepOptions) {
    const { gpu, parameters, output } = network;
    const { batch, labelSmoothing, classWeights = Array(output.c).fill(1), accumulate = false } = options;
    this.gradients = parameters.zerosLike("gradient");
    this.labels = plan.integers([batch], "labels");
    const { teacher } = options;
    this.targets = options.soft || teacher ? plan.tensor([batch, output.c], "targets") : undefined;
    this.params = plan.tensor([4], "step params");
    this.random = plan.integers([4], "random");
    this.totals = plan.tensor([4], "totals");
    this.parts = options.divergence || teacher ? plan.tensor([4], "totals of parts") : undefined;
    this.history = plan.tensor([options.history ?? 1], "loss history");
    const records = this.records = options.records === undefined
      ? undefined
      : new BatchRecords(plan, network, options.records, this.parts !== undefined);
    const weights = plan.tensor([output.c], "class weights");
    writeTensor(gpu, weights, Float32Array.from(classWeights));
    this.x = network.inputTensor(plan, batch);
    options.input?.(plan, this.x);
    let result: Tensor | undefined;
    const loss = (logits: Tensor) => {
      const target = this.targets ? { soft: this.targets } : { labels: this.labels };
      const labelled = lossAndGradient(plan, { logits, target, classWeights: weights, labelSmoothing });
      const { targets, params, totals, history } = this;
      const taught = teacher &&
        distill(plan, { ...teacher, logits, labelled, teacher: teacher.logits(plan) });
      const parts = taught?.parts ?? (this.parts && divergence(plan, { logits, targets: targets! }));
      result = taught?.result ?? labelled.result;
      if (records) records.buildLoss(result, parts);
      else {
        accumulateLoss(plan, { result, params, totals, history });
        if (parts) addUp(plan, { parts, totals: this.parts! });
      }
      return labelled.dLogits;
    };
    const { gradients, random } = this;
    const built = network.buildTraining(plan, this.x, loss, {
      gradients,
      accumulate,
      random,
      statistics: records,
    });
    this.result = result!;
    this.logits = built.logits;
    this.sections = built.sections;
  }

  /** Writes up to N labels, and where targets are soft those that samples are mixed with; rows beyond them are left out of the loss. */
  writeLabels(labels: ArrayLike<Label>, mixed?: MixedLabels): void {
    if (this.targets) {
      const classes = this.network.output.c, rows = new Float32Array(this.targets.size);
      for (let n = 0; n < labels.length; n++) {
        const row = rows.subarray(n * classes, (n + 1) * classes);
        addLabel(row, labels[n]!, mixed?.share ?? 1);
        if (mixed) addLabel(row, mixed.others[n]!, 1 - mixed.share);
      }
      return writeTensor(this.network.gpu, this.targets, rows);
    }
    const hard = Array.from(labels).filter((label) => typeof label === "number");
    if (mixed || hard.length < labels.length) {
      throw new RangeError("Cannot write labels: the step was built for one class a sample");
    }
    const all = new Uint32Array(this.labels.size).fill(IGNORE_LABEL);
    all.set(hard);
    writeTensor(this.network.gpu, this.labels, all);
  }

  /** Writes the numbers of the next step. */
  writeParams(params: StepParams): void {
    writeTensor(this.network.gpu, this.params, stepParams(params));
  }

  /** Writes what dropout's masks depend on. */
  writeRandom(seed: number, step: number): void {
    writeTensor(this.network.gpu, this.random, Uint32Array.of(seed, step, 0, 0));
  }

  /** Waits for the last batch; its mean loss. */
  async loss(): Promise<number> {
    const rows = await readTensor(this.network.gpu, this.result);
    return rows.reduce((sum, value, i) => i % 4 === 0 ? sum + value : sum, 0);
  }

  /** Waits for the last batch; gradients by parameter name, in PyTorch's order; frozen parameters are left out. */
  readGradients(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    return this.network.parameters.read(undefined, this.gradients);
  }

  /** Frees the gradients. */
  [Symbol.dispose](): void {
    for (const g of this.gradients) if (g) destroyTensor(this.network.gpu, g);
  }
}

/** Gives a label that share of a row of targets. */
function addLabel(row: Float32Array, label: Label, share: number): void {
  if (typeof label === "number") row[label]! += share;
  else label.forEach((probability, c) => row[c]! += share * probability);
}
