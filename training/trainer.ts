/**
 * One training step as plans: photos -> input -> forward -> loss -> backward, once per batch, then the update; submitted with
 * nothing on the way that waits for the device.
 * @module
 */
import { clip } from "../engine/kernels/optimizer/global_norm.ts";
import { Plan, submit, submitFirst } from "../engine/plan.ts";
import { readTensor, readTensors, type Tensor, writeTensor } from "../engine/tensor.ts";
import { count } from "../engine/text.ts";
import type { Preprocess } from "../data/preprocess.ts";
import type { Network, Section } from "../model/network.ts";
import { PhotoFeed, type PlacedPhoto } from "../model/inference/photo_feed.ts";
import { TrainingStep } from "../model/training_step.ts";
import type { WeightAverage } from "./average.ts";
import { BatchMixer, mixes, type MixOptions } from "./mixing.ts";
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
  /** What the device had summed up when that run was stopped, from a reading with `keep`; default: nothing. */
  readonly sums?: LossSums | undefined;
  /** Most pixels that a batch of photos may have in all. */
  readonly capacity: number;
  /** How photos become the input. */
  readonly preprocess: Preprocess;
  /** Decides dropout's masks, and what is mixed. */
  readonly seed: number;
  /** How batches are mixed; default: not at all. */
  readonly mix?: MixOptions | undefined;
  /** 0 (default) to under 1. */
  readonly labelSmoothing?: number;
  /** Weight of each class in the loss; default 1. */
  readonly classWeights?: readonly number[];
  /** Largest global norm of the gradient; undefined: not clipped. */
  readonly clipNorm?: number | undefined;
  /** Look for non-finite values in every layer's output after every batch (`runChecked`). */
  readonly checkNumerics?: boolean;
}

/** Sums over images. */
export interface LossSums {
  /** Images seen. */
  readonly images: number;
  /** Their losses. */
  readonly loss: number;
  /** Those whose highest logit was the label. */
  readonly hits: number;
}

/** What was measured since the last reading. */
export interface Metrics {
  /** As the device summed them up. */
  readonly sums: LossSums;
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
  readonly #feed: PhotoFeed;
  readonly #batch: TrainingStep;
  #mixer: BatchMixer | undefined;
  readonly #checks: NumericChecks | undefined;
  readonly #accumulate: number;
  #step: number;
  #readAt: number;

  private constructor(
    readonly network: Network,
    readonly optimizer: Optimizer,
    readonly options: TrainerOptions,
  ) {
    const { gpu } = network, { batch, labelSmoothing, classWeights, clipNorm } = options;
    this.#accumulate = options.accumulate ?? 1;
    this.#step = this.#readAt = options.step ?? 0;
    const plan = this.plan = new Plan(gpu, "training step");
    const update = this.update = new Plan(gpu, "update");
    this.#feed = new PhotoFeed(gpu, batch, options.capacity, options.preprocess);
    const mixed = options.mix && mixes(options.mix) ? options.mix : undefined;
    this.#batch = new TrainingStep(plan, network, {
      ...{ batch, labelSmoothing, classWeights, history: HISTORY, accumulate: this.#accumulate > 1 },
      soft: mixed !== undefined,
      input: (_, x) => this.#input(x, mixed),
    });
    const { gradients, params } = this.#batch;
    if (clipNorm !== undefined) {
      clip(update, { gradients: gradients.filter((g) => g !== undefined), params, maxNorm: clipNorm });
    }
    optimizer.build(update, gradients, params);
    options.average?.build(update, params);
    if (options.checkNumerics) this.#checks = new NumericChecks(plan, this.sections);
  }

  /** Records what fills the input x. */
  #input(x: Tensor, mix: MixOptions | undefined): void {
    if (!mix) return this.#feed.build(this.plan, x);
    const placed = this.plan.tensor(x.shape, "photos");
    this.#feed.build(this.plan, placed);
    this.#mixer = new BatchMixer(this.plan, { x: placed, y: x }, mix, this.options.seed);
  }

  /** Where each layer's launches lie in `plan`. */
  get sections(): readonly Section[] {
    return this.#batch.sections;
  }

  /** [N, 1, 1, classes] of the last batch. */
  get logits(): Tensor {
    return this.#batch.logits;
  }

  /** Builds and compiles the step. */
  static async create(network: Network, optimizer: Optimizer, options: TrainerOptions): Promise<Trainer> {
    const trainer = new Trainer(network, optimizer, options);
    try {
      await trainer.plan.compile();
      await trainer.update.compile();
      const { images, hits, loss } = options.sums ?? { images: 0, hits: 0, loss: 0 };
      writeTensor(network.gpu, trainer.#batch.totals, Float32Array.of(0, hits, images, loss));
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

  /** Whether a step's kernels have not all run yet: then `runFirst` says how far they are. */
  get fresh(): boolean {
    return this.plan.fresh || this.update.fresh;
  }

  /**
   * Submits one step on 1 to `batch` photos with as many labels, or, where gradients accumulate, on up to `accumulate` full
   * batches; returns without waiting for the device.
   */
  run(photos: readonly PlacedPhoto[], labels: readonly number[], learningRate: number): void {
    for (const args of this.#submissions(photos, labels, learningRate)) submit(...args);
  }

  /** As `run`, to the same result, but waits for the device where kernels run for the first time (see `submitFirst`). */
  async runFirst(
    photos: readonly PlacedPhoto[],
    labels: readonly number[],
    learningRate: number,
  ): Promise<void> {
    for (const args of this.#submissions(photos, labels, learningRate)) await submitFirst(...args);
  }

  /** `run` with `checkNumerics`: the first layer and pass whose output was not finite. Waits for the device. */
  async runChecked(
    photos: readonly PlacedPhoto[],
    labels: readonly number[],
    learningRate: number,
  ): Promise<FoundNonFinite | undefined> {
    let found: FoundNonFinite | undefined;
    for (const args of this.#submissions(photos, labels, learningRate)) {
      await submitFirst(...args);
      found ??= await this.#checks?.first();
    }
    return found;
  }

  /** What a step submits, batch by batch, each to be submitted before the next is asked for; the update goes with the last one. */
  *#submissions(
    photos: readonly PlacedPhoto[],
    labels: readonly number[],
    learningRate: number,
  ): Generator<Parameters<typeof submit>> {
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
        this.#batch.writeParams({ lr: learningRate, gradScale: 1 / batches, step: this.#step });
      }
      yield [gpu, k === batches - 1 ? [this.plan, this.update] : [this.plan], (encoder) => {
        this.#feed.encode(encoder);
        if (k === 0 && this.#accumulate > 1) {
          for (const g of this.#batch.gradients) if (g) encoder.clearBuffer(g.buffer);
        }
      }];
    }
  }

  /** How many batches that many photos are. */
  #batchesOf(photos: number): number {
    const { batch } = this.options, batches = Math.max(1, Math.ceil(photos / batch));
    // A short batch among several would weigh as much as a full one.
    if (batches > this.#accumulate || (batches > 1 && photos % batch !== 0)) {
      throw new RangeError(
        `Cannot train on ${
          count(photos, "photo")
        }: wanted 1 to ${batch}, or ${this.#accumulate} or fewer batches of ${batch}`,
      );
    }
    return batches;
  }

  #upload(photos: readonly PlacedPhoto[], labels: readonly number[], step: number, k: number): void {
    const { batch, seed } = this.options, number = step * this.#accumulate + k;
    this.#feed.write(photos.slice(k * batch, (k + 1) * batch));
    const own = labels.slice(k * batch, (k + 1) * batch);
    this.#batch.writeLabels(own, this.#mixer?.write(own, number));
    this.#batch.writeRandom(seed, number);
  }

  /**
   * Waits for the steps so far and returns what they summed up; then starts new sums, unless they are to be kept: the device sums up
   * in float32, so where a sum is cut shows in its last digits, and a run that is stopped cuts none.
   */
  async metrics({ keep = false } = {}): Promise<Metrics> {
    const { gpu } = this.network;
    const { totals, history: ring } = this.#batch;
    const [sums, history] = await readTensors(gpu, [totals, ring]);
    if (!keep) {
      writeTensor(gpu, totals, new Float32Array(4));
      writeTensor(gpu, ring, new Float32Array(HISTORY));
    }
    const [, hits, images, lossSum] = sums as unknown as [number, number, number, number];
    const steps = this.#step - this.#readAt;
    const losses = Float32Array.from(
      { length: steps },
      (_, i) => history![(this.#readAt + 1 + i) % HISTORY]!,
    );
    if (!keep) this.#readAt = this.#step;
    return {
      sums: { images, loss: lossSum, hits },
      images,
      loss: lossSum / images,
      accuracy: hits / images,
      losses,
    };
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
    return this.#batch.readGradients();
  }

  /** Frees the plans and the gradients. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.update[Symbol.dispose]();
    this.#feed[Symbol.dispose]();
    this.#batch[Symbol.dispose]();
  }
}
