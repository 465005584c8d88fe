/**
 * One training step as plans: photos -> input -> forward -> loss -> backward, once per batch, then the update; submitted with
 * nothing on the way that waits for the device.
 * @module
 */
import {
  accumulateLoss,
  IGNORE_LABEL,
  softmaxCrossEntropy,
} from "../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { clipByGlobalNorm, globalNormPartials } from "../engine/kernels/global_norm/global_norm.ts";
import { Plan, submit } from "../engine/plan.ts";
import { destroyTensor, readTensor, readTensors, type Tensor, writeTensor } from "../engine/tensor.ts";
import type { Preprocess } from "../model/checkpoint/card.ts";
import type { Network, Section } from "../model/network.ts";
import { PhotoFeed, type PlacedPhoto } from "../model/inference/photo_feed.ts";
import type { WeightAverage } from "./average.ts";
import { type FoundNonFinite, NumericChecks } from "./numeric_checks.ts";
import type { Optimizer } from "./optimizer.ts";

/** Steps whose losses the device remembers; metrics must be read at least that often. */
export const HISTORY = 64;

/** What a trainer needs to know beyond the network. */
export interface TrainerOptions {
  /** Images in one pass. */
  readonly batch: number;
  /** Batches in one step, whose gradients are averaged; default 1. */
  readonly accumulate?: number;
  /** Weight average that follows every update. */
  readonly average?: WeightAverage | undefined;
  /** Steps done before, in a run that is continued; default 0. */
  readonly step?: number;
  /** Most pixels that a batch of photos may have in all. */
  readonly capacity: number;
  readonly preprocess: Preprocess;
  readonly seed: number;
  /** 0 (default) to under 1. */
  readonly labelSmoothing?: number;
  /** Weight of each class in the loss; default 1. */
  readonly classWeights?: readonly number[];
  /** Largest global norm of the gradient; undefined: not clipped. */
  readonly clipNorm?: number | undefined;
  /** Look for non-finite values in every layer's output after every batch (`runChecked`). */
  readonly checkNumerics?: boolean;
}

/** Sums since the last reading. */
export interface Metrics {
  /** Images seen. */
  readonly images: number;
  /** Mean loss of them. */
  readonly loss: number;
  /** Share of them whose highest logit was the label. */
  readonly accuracy: number;
  /** Mean loss of each step since the last reading, oldest first. */
  readonly losses: Float32Array;
}

/** Owns the step's plans and gradients; borrows network and optimiser. */
export class Trainer implements Disposable {
  /** Photos to gradients. */
  readonly plan: Plan;
  /** Gradients to parameters. */
  readonly update: Plan;
  readonly sections: readonly Section[];
  readonly logits: Tensor;
  readonly #feed: PhotoFeed;
  readonly #gradients: readonly (Tensor | undefined)[];
  readonly #labels: Tensor;
  readonly #hyper: Tensor;
  readonly #random: Tensor;
  readonly #totals: Tensor;
  readonly #history: Tensor;
  readonly #checks: NumericChecks | undefined;
  readonly #accumulate: number;
  #step: number;
  #readAt: number;

  private constructor(
    readonly network: Network,
    readonly optimizer: Optimizer,
    readonly options: TrainerOptions,
  ) {
    const { gpu, parameters, output } = network;
    const { batch, labelSmoothing = 0 } = options;
    this.#accumulate = options.accumulate ?? 1;
    this.#step = this.#readAt = options.step ?? 0;
    const plan = this.plan = new Plan(gpu, "training step");
    const update = this.update = new Plan(gpu, "update");
    this.#feed = new PhotoFeed(gpu, batch, options.capacity, options.preprocess);
    this.#gradients = parameters.like("gradient");
    this.#labels = plan.tensor([batch], "labels");
    this.#hyper = plan.tensor([4], "hyper");
    this.#random = plan.tensor([4], "random");
    this.#totals = plan.tensor([4], "totals");
    this.#history = plan.tensor([HISTORY], "loss history");
    const classWeights = plan.tensor([output.c], "class weights");
    writeTensor(gpu, classWeights, Float32Array.from(options.classWeights ?? Array(output.c).fill(1)));
    const x = network.inputTensor(plan, batch);
    this.#feed.build(plan, x);
    const result = plan.tensor([batch, 4], "loss rows");
    const loss = (logits: Tensor) => {
      const dLogits = plan.tensor(logits.shape, "d logits");
      const rows = (t: Tensor): Tensor => ({ ...t, shape: [batch, output.c] });
      const target = { labels: this.#labels };
      const tensors = { logits: rows(logits), target, classWeights, dLogits: rows(dLogits), result };
      plan.add(softmaxCrossEntropy(tensors, { labelSmoothing }));
      plan.add(accumulateLoss(result, this.#hyper, this.#totals, this.#history));
      return dLogits;
    };
    const built = network.buildTraining(plan, x, loss, {
      gradients: this.#gradients,
      accumulate: this.#accumulate > 1,
      random: this.#random,
    });
    this.sections = built.sections;
    this.logits = built.logits;
    if (options.clipNorm !== undefined) {
      const trained = this.#gradients.filter((g) => g !== undefined);
      const partials = update.tensor([globalNormPartials(trained)], "gradient norm parts");
      const norm = update.tensor([4], "gradient norm");
      update.add(...clipByGlobalNorm(trained, partials, this.#hyper, norm, { maxNorm: options.clipNorm }));
    }
    optimizer.build(update, this.#gradients, this.#hyper);
    options.average?.build(update, this.#hyper);
    if (options.checkNumerics) this.#checks = new NumericChecks(plan, this.sections);
  }

  /** Builds and compiles the step. */
  static async create(network: Network, optimizer: Optimizer, options: TrainerOptions): Promise<Trainer> {
    const trainer = new Trainer(network, optimizer, options);
    try {
      await trainer.plan.compile();
      await trainer.update.compile();
    } catch (error) {
      trainer[Symbol.dispose]();
      throw error;
    }
    return trainer;
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /**
   * Submits one step on 1 to `batch` photos with as many labels, or, where gradients accumulate, on up to `accumulate` full
   * batches; returns without waiting for the device.
   */
  run(photos: readonly PlacedPhoto[], labels: readonly number[], learningRate: number): void {
    for (const _ of this.#submissions(photos, labels, learningRate));
  }

  /** `run` with `checkNumerics`: the first layer and pass whose output was not finite. Waits for the device. */
  async runChecked(
    photos: readonly PlacedPhoto[],
    labels: readonly number[],
    learningRate: number,
  ): Promise<FoundNonFinite | undefined> {
    let found: FoundNonFinite | undefined;
    for (const _ of this.#submissions(photos, labels, learningRate)) found ??= await this.#checks?.first();
    return found;
  }

  /** Submits a step batch by batch; the update goes with the last one. */
  *#submissions(photos: readonly PlacedPhoto[], labels: readonly number[], learningRate: number) {
    if (this.#step - this.#readAt >= HISTORY) {
      throw new RangeError(`Cannot train on: metrics were not read for ${HISTORY} steps`);
    }
    const { gpu } = this.network;
    const batches = this.#batchesOf(photos.length);
    const step = this.#step;
    for (let k = 0; k < batches; k++) {
      this.#upload(photos, labels, step, k);
      if (k === 0) {
        // Photos that are refused count as no step.
        this.#step++;
        writeTensor(gpu, this.#hyper, Float32Array.of(learningRate, 1 / batches, this.#step, 0));
      }
      submit(gpu, k === batches - 1 ? [this.plan, this.update] : [this.plan], (encoder) => {
        this.#feed.encode(encoder);
        if (k === 0 && this.#accumulate > 1) {
          for (const g of this.#gradients) if (g) encoder.clearBuffer(g.buffer);
        }
      });
      yield k;
    }
  }

  /** How many batches that many photos are. */
  #batchesOf(photos: number): number {
    const { batch } = this.options, batches = Math.max(1, Math.ceil(photos / batch));
    // A short batch among several would weigh as much as a full one.
    if (batches > this.#accumulate || (batches > 1 && photos % batch !== 0)) {
      throw new RangeError(
        `Cannot train on ${photos} photos: wanted 1 to ${batch}, or ${this.#accumulate} or fewer batches of ${batch}`,
      );
    }
    return batches;
  }

  #upload(photos: readonly PlacedPhoto[], labels: readonly number[], step: number, k: number): void {
    const { gpu } = this.network, { batch, seed } = this.options;
    this.#feed.write(photos.slice(k * batch, (k + 1) * batch));
    const padded = new Uint32Array(batch).fill(IGNORE_LABEL);
    padded.set(labels.slice(k * batch, (k + 1) * batch));
    writeTensor(gpu, this.#labels, padded);
    writeTensor(gpu, this.#random, Uint32Array.of(seed, step * this.#accumulate + k, 0, 0));
  }

  /** Waits for the steps so far and returns what they summed up; then starts new sums. */
  async metrics(): Promise<Metrics> {
    const { gpu } = this.network;
    const [totals, history] = await readTensors(gpu, [this.#totals, this.#history]);
    writeTensor(gpu, this.#totals, new Float32Array(4));
    writeTensor(gpu, this.#history, new Float32Array(HISTORY));
    const [, hits, images, lossSum] = totals as unknown as [number, number, number, number];
    const steps = this.#step - this.#readAt;
    const losses = Float32Array.from(
      { length: steps },
      (_, i) => history![(this.#readAt + 1 + i) % HISTORY]!,
    );
    this.#readAt = this.#step;
    return { images, loss: lossSum / images, accuracy: hits / images, losses };
  }

  /**
   * Repeats a step (numbered from 0) whose loss was not finite and names the first layer and pass whose output shows it, or
   * undefined if all are finite. The parameters are still those before that step, because updates stop with the first bad loss.
   */
  async findNonFinite(
    photos: readonly PlacedPhoto[],
    labels: readonly number[],
    step: number,
  ): Promise<Section | undefined> {
    const { gpu } = this.network;
    for (let k = 0; k < this.#batchesOf(photos.length); k++) {
      this.#upload(photos, labels, step, k);
      submit(gpu, [this.plan], (encoder) => this.#feed.encode(encoder));
      for (const section of this.sections) {
        if (!section.output) continue;
        const values = await readTensor(gpu, section.output);
        if (values.some((v) => !Number.isFinite(v))) return section;
      }
    }
    return undefined;
  }

  /** Gradients of the last step by parameter name, in PyTorch's order; frozen parameters are left out. */
  gradients(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    return this.network.parameters.read(undefined, this.#gradients);
  }

  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.update[Symbol.dispose]();
    this.#feed[Symbol.dispose]();
    for (const g of this.#gradients) if (g) destroyTensor(this.network.gpu, g);
  }
}
