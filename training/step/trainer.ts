/**
 * One training step as plans: photos -> input -> forward -> loss -> backward, once per batch, then the update; submitted with
 * nothing on the way that waits for the device.
 * @module
 */
import { clip } from "../../engine/kernels/optimizer/global_norm.ts";
import { Plan, submit, submitFirst } from "../../engine/plan.ts";
import { readTensor, type Tensor } from "../../engine/tensor.ts";
import { count } from "../../engine/text.ts";
import type { Preprocess } from "../../data/preprocess.ts";
import type { Span } from "../../distributed/tree.ts";
import type { Network, Section } from "../../model/network.ts";
import type { PlacedPhoto } from "../../model/inference/photo_feed.ts";
import { type Label, TrainingStep } from "../../model/training_step.ts";
import type { WeightAverage } from "./average.ts";
import { BatchInput, viewedIn } from "./batch_input.ts";
import { HISTORY, LossMeter, type Metrics } from "./loss_meter.ts";
import type { LossSums } from "./loss_sums.ts";
import type { MixOptions } from "./mixing.ts";
import { type FoundNonFinite, NumericChecks } from "./numeric_checks.ts";
import type { Optimizer } from "./optimizer.ts";
import { StepShare, type StepShareOptions } from "./step_share.ts";

/** What a trainer needs to know beyond the network. */
export interface TrainerOptions extends Omit<StepShareOptions, "accumulate"> {
  /** Images in one pass. */
  readonly batch: number;
  /** Batches in a micro-batch, of which a step has one unless `microBatches` says more; the gradients of all are averaged. Default 1. */
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
  /** Whether labels may be probabilities, whose divergence is then measured; default false. */
  readonly softLabels?: boolean;
  /** A network that is learnt from, too. */
  readonly teacher?: Teacher | undefined;
  /** 0 (default) to under 1. */
  readonly labelSmoothing?: number;
  /** Weight of each class in the loss; default 1. */
  readonly classWeights?: readonly number[];
  /** Largest global norm of the gradient; undefined: not clipped. */
  readonly clipNorm?: number | undefined;
  /** Look for non-finite values in every layer's output after every batch (`runChecked`). */
  readonly checkNumerics?: boolean;
}

/** A trained network whose predictions on each batch are targets beside the labels (docs/distillation.md). */
export interface Teacher {
  /** Of the same classes; borrowed, and left as it is. */
  readonly network: Network;
  /** How photos become its input, which shows what the student's shows. */
  readonly preprocess: Preprocess;
  /** Divides both networks' logits; over 0. */
  readonly temperature: number;
  /** Its share of the loss, 0 to 1; the labels have the rest. */
  readonly weight: number;
}

/** Owns the step's plans and gradients; borrows network and optimiser. */
export class Trainer implements Disposable {
  /** Photos to gradients. */
  readonly plan: Plan;
  /** Gradients to parameters. */
  readonly update: Plan;
  readonly #input: BatchInput;
  /** The teacher's, where it is another than the network's own. */
  #taught: BatchInput | undefined;
  readonly #batch: TrainingStep;
  #x: Tensor | undefined;
  readonly #checks: NumericChecks | undefined;
  /** Batches of a step at most. */
  readonly #batches: number;
  readonly #meter: LossMeter;
  #share: StepShare | undefined;
  #step: number;

  private constructor(
    readonly network: Network,
    readonly optimizer: Optimizer,
    readonly options: TrainerOptions,
  ) {
    const { gpu } = network, { batch, softLabels = false, labelSmoothing, classWeights, clipNorm } = options;
    const { accumulate = 1, microBatches = 1 } = options;
    this.#batches = accumulate * microBatches;
    this.#step = options.step ?? 0;
    const plan = this.plan = new Plan(gpu, "training step");
    const update = this.update = new Plan(gpu, "update");
    const input = this.#input = new BatchInput(plan, options);
    const teacher = options.teacher;
    this.#batch = new TrainingStep(plan, network, {
      ...{ batch, labelSmoothing, classWeights, history: HISTORY, accumulate: accumulate > 1 },
      records: microBatches > 1 ? this.#batches : undefined,
      ...{ soft: input.mixed || softLabels, divergence: softLabels },
      teacher: teacher && { ...teacher, logits: () => this.#teach(teacher) },
      input: (_, x) => input.record(this.#x = x),
    });
    this.#meter = new LossMeter(gpu, this.#batch, this.#step);
    const { gradients, params, totals, history, parts, records } = this.#batch;
    records?.buildTotals(update, { params, totals, history, parts });
    if (clipNorm !== undefined) {
      clip(update, { gradients: gradients.filter((g) => g !== undefined), params, maxNorm: clipNorm });
    }
    optimizer.build(update, gradients, params);
    options.average?.build(update, params);
    if (options.checkNumerics) this.#checks = new NumericChecks(plan, this.sections);
  }

  /** Records the teacher's forward pass on what the network sees. */
  #teach({ network, preprocess }: Teacher): Tensor {
    const { plan, options } = this;
    if (JSON.stringify(preprocess) === JSON.stringify(options.preprocess)) {
      return network.buildForward(plan, this.#x!).logits;
    }
    const x = network.inputTensor(plan, options.batch);
    this.#taught = new BatchInput(plan, { ...options, preprocess });
    this.#taught.record(x);
    return network.buildForward(plan, x).logits;
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
      if (trainer.#batch.records) {
        const { accumulate = 1 } = options;
        trainer.#share = await StepShare.create(trainer.#batch, { ...options, accumulate });
      }
      trainer.#meter.begin(options.sums);
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

  /** Which of a step's images, of that many, this process computes: all, unless there are other ranks. */
  shareOf(images: number): Span {
    const { batch } = this.options;
    if (!this.#share) return { first: 0, end: images };
    const { first, end } = this.#share.batchesOf(this.#batchesOf(images));
    return { first: Math.min(first * batch, images), end: Math.min(end * batch, images) };
  }

  /** Whether steps have several micro-batches: then `runShared` makes them. */
  get shared(): boolean {
    return this.#share !== undefined;
  }

  /**
   * One step of `images` photos in several micro-batches, of which these photos are this rank's share (`shareOf`). Waits for the device
   * where there are other ranks. Resolves with whether any rank is `stopping`, and what `runChecked` finds.
   */
  async runShared(
    photos: readonly PlacedPhoto[],
    labels: readonly Label[],
    learningRate: number,
    { images, stopping }: { readonly images: number; readonly stopping: boolean },
  ): Promise<{ stopped: boolean; found: FoundNonFinite | undefined }> {
    this.#meter.requireRoom(this.#step);
    const share = this.#share!, { gpu } = this.network;
    const batches = this.#batchesOf(images), own = share.batchesOf(batches), step = this.#step++;
    this.#batch.writeParams({ lr: learningRate, gradScale: 1 / batches, step: this.#step });
    share.begin(batches);
    let found: FoundNonFinite | undefined;
    for (let k = own.first; k < own.end; k++) {
      this.#upload(photos, labels, step, k, own.first);
      await submitFirst(gpu, [this.plan], (encoder) => {
        this.#encode(encoder);
        if ((this.options.accumulate ?? 1) > 1 && share.starts(k)) this.#clearGradients(encoder);
      });
      share.submitted(k);
      if (this.#checks) found ??= await this.#checks.first();
    }
    const stopped = await share.combine(stopping);
    await submitFirst(gpu, [this.update]);
    return { stopped, found };
  }

  /**
   * Submits one step on 1 to `batch` photos with as many labels, or, where gradients accumulate, on up to `accumulate` full
   * batches; returns without waiting for the device.
   */
  run(photos: readonly PlacedPhoto[], labels: readonly Label[], learningRate: number): void {
    for (const args of this.#submissions(photos, labels, learningRate)) submit(...args);
  }

  /** As `run`, to the same result, but waits for the device where kernels run for the first time (see `submitFirst`). */
  async runFirst(
    photos: readonly PlacedPhoto[],
    labels: readonly Label[],
    learningRate: number,
  ): Promise<void> {
    for (const args of this.#submissions(photos, labels, learningRate)) await submitFirst(...args);
  }

  /** `run` with `checkNumerics`: the first layer and pass whose output was not finite. Waits for the device. */
  async runChecked(
    photos: readonly PlacedPhoto[],
    labels: readonly Label[],
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
    labels: readonly Label[],
    learningRate: number,
  ): Generator<Parameters<typeof submit>> {
    this.#meter.requireRoom(this.#step);
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
        this.#encode(encoder);
        if (k === 0 && this.#batches > 1) this.#clearGradients(encoder);
      }];
    }
  }

  #clearGradients(encoder: GPUCommandEncoder): void {
    for (const g of this.#batch.gradients) if (g) encoder.clearBuffer(g.buffer);
  }

  /** How many batches that many photos are. */
  #batchesOf(photos: number): number {
    const { batch } = this.options, batches = Math.max(1, Math.ceil(photos / batch));
    // A short batch among several would weigh as much as a full one.
    if (batches > this.#batches || (batches > 1 && photos % batch !== 0)) {
      throw new RangeError(
        `Cannot train on ${
          count(photos, "photo")
        }: wanted 1 to ${batch}, or ${this.#batches} or fewer batches of ${batch}`,
      );
    }
    return batches;
  }

  /** Uploads the step's batch k; the photos begin with its batch `first`. */
  #upload(
    photos: readonly PlacedPhoto[],
    labels: readonly Label[],
    step: number,
    k: number,
    first: number = 0,
  ): void {
    const { batch, preprocess, teacher, seed } = this.options, number = step * this.#batches + k;
    const at = (k - first) * batch, placed = photos.slice(at, at + batch), own = labels.slice(at, at + batch);
    this.#batch.writeLabels(own, this.#input.write(placed, own, number));
    this.#taught?.write(placed.map((photo) => viewedIn(photo, preprocess, teacher!.preprocess)), own, number);
    this.#batch.writeRandom(seed, number);
  }

  /** Records the copies of photos that lie on the device. */
  #encode(encoder: GPUCommandEncoder): void {
    this.#input.encode(encoder);
    this.#taught?.encode(encoder);
  }

  /**
   * Waits for the steps so far and returns what they summed up; then starts new sums, unless they are to be kept: the device sums up
   * in float32, so where a sum is cut shows in its last digits, and a run that is stopped cuts none.
   */
  async metrics({ keep = false } = {}): Promise<Metrics> {
    return await this.#meter.read(this.#step, keep);
  }

  /**
   * Repeats a step (numbered from 0) whose loss was not finite and names the first layer and pass whose output shows it, or
   * undefined if all are finite. Of a step of `images` these are this rank's share. The parameters are still those before that step, because updates stop with the first bad loss.
   */
  async findNonFinite(
    photos: readonly PlacedPhoto[],
    labels: readonly Label[],
    step: number,
    images: number = photos.length,
  ): Promise<Section | undefined> {
    const { gpu } = this.network, batches = this.#batchesOf(images);
    const { first, end } = this.#share?.batchesOf(batches) ?? { first: 0, end: batches };
    for (let k = first; k < end; k++) {
      this.#upload(photos, labels, step, k, first);
      submit(gpu, [this.plan], (encoder) => this.#encode(encoder));
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
    this.#input[Symbol.dispose]();
    this.#taught?.[Symbol.dispose]();
    this.#share?.[Symbol.dispose]();
    this.#batch[Symbol.dispose]();
  }
}
