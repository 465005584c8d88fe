/**
 * Training on photos that a page holds: a few classes, from scratch or on top of a model, epoch by epoch.
 * @module
 */
import { trainingBatches } from "../data/dataset/batches.ts";
import type { DecodedImage } from "../data/image/image.ts";
import { defaultPreprocess } from "../data/preprocess.ts";
import type { Gpu } from "../engine/device.ts";
import { UserError } from "../engine/errors.ts";
import { shuffle, Stream } from "../engine/random.ts";
import { count } from "../engine/text.ts";
import { architecture } from "../model/architectures/registry.ts";
import type { ModelCard } from "../model/checkpoint/card.ts";
import { type Checkpoint, encodeCheckpoint } from "../model/checkpoint/encoding.ts";
import { NetworkClassifier } from "../model/inference/classifier.ts";
import { Network } from "../model/network.ts";
import { evaluate, type Evaluation } from "../training/evaluation/evaluate.ts";
import { createOptimizer, type Optimizer, OPTIMIZER_DEFAULTS } from "../training/step/optimizer.ts";
import { labelsOf, mostPixels, type PhotoSource, trainingPhotos } from "../training/photos/photos.ts";
import { defaultWarmup, learningRate } from "../training/options/schedule.ts";
import type { Metrics } from "../training/step/loss_meter.ts";
import { Trainer } from "../training/step/trainer.ts";
import { freezeBlocks, loadWeights } from "../training/run/transfer.ts";

/** A decoded photo and what it shows. */
export interface LabelledPhoto extends DecodedImage {
  /** Index of its class. */
  readonly label: number;
}

/** What is trained on what. */
export interface PhotoTrainingOptions {
  /** Their names. */
  readonly classes: readonly string[];
  /** At least one of each class. */
  readonly photos: readonly LabelledPhoto[];
  /** Train on top of this model: its architecture, its input, and of its weights what fits. */
  readonly start?: Checkpoint | undefined;
  /** Leave the features of `start` as they are, and train the classifier alone; default false. */
  readonly keepFeatures?: boolean | undefined;
  /** The architecture where there is no `start`; default `compact`. */
  readonly model?: string | undefined;
  /** Side of its input in pixels; default 64. */
  readonly size?: number | undefined;
  /** Epochs of the run; default 30. */
  readonly epochs?: number | undefined;
  /** Decides first weights, split, order and variation; default 1. */
  readonly seed?: number | undefined;
}

/** How an epoch went. */
export interface EpochReport {
  /** Epochs done. */
  readonly epoch: number;
  /** Epochs of the run. */
  readonly epochs: number;
  /** Mean loss and accuracy over the epoch's training photos. */
  readonly train: Pick<Metrics, "loss" | "accuracy">;
  /** Over the photos that are held out; undefined where every class has few. */
  readonly valid: Evaluation | undefined;
}

/** A class gives one photo in five to validation, and none where it has fewer than these. */
const HELD_OUT = 5;

/** Images of a batch where there are as many. */
const BATCH = 16;

/** A weight of a network that knows something already is moved less far than one that knows nothing. */
const ON_TOP = 1 / 3;

/** A run over photos in memory; borrows the device. Dispose of it to free what it holds there. */
export class PhotoTraining implements Disposable {
  #epoch = 0;
  #report: EpochReport | undefined;

  private constructor(
    readonly network: Network,
    readonly card: ModelCard,
    readonly epochs: number,
    readonly options: PhotoTrainingOptions,
    readonly trainSource: PhotoSource,
    readonly validSource: PhotoSource,
    readonly optimizer: Optimizer,
    readonly trainer: Trainer,
    readonly evaluator: NetworkClassifier,
  ) {}

  /** Builds network, optimiser and kernels; throws a `UserError` where classes or photos are too few or the weights do not fit. */
  static async create(gpu: Gpu, options: PhotoTrainingOptions): Promise<PhotoTraining> {
    const { classes, photos, start, epochs = 30, seed = 1, size = 64 } = options;
    requirePhotos(classes, photos);
    const preprocess = start?.card.preprocess ?? defaultPreprocess(size);
    const model = start?.card.model ?? options.model ?? "compact";
    const layers = architecture(model, { classes: classes.length, size: preprocess.height });
    const { train, valid } = split(photos, seed);
    const batch = Math.min(BATCH, train.entries.length);
    using stack = new DisposableStack();
    const network = stack.use(
      new Network(
        gpu,
        layers,
        options.keepFeatures && start ? { frozen: (name) => name.startsWith("features.") } : {},
      ),
    );
    const names = network.parameters.all.map(({ name }) => name);
    if (options.keepFeatures && start) freezeBlocks(["features"], names); // says what is wrong where there are none
    network.parameters.initialise(seed);
    if (start) loadWeights(network, start.tensors, { from: start.card.classes, to: classes });
    const optimizer = stack.use(
      createOptimizer(network.parameters, {
        optimizer: "adamw",
        weightDecay: OPTIMIZER_DEFAULTS.adamw.weightDecay,
      }),
    );
    const trainer = stack.use(
      await Trainer.create(network, optimizer, {
        batch,
        seed,
        preprocess,
        capacity: batch * mostPixels(train),
      }),
    );
    const { count: parameters } = network.parameters;
    const card: ModelCard = { model, classes: [...classes], preprocess: { ...preprocess }, parameters };
    const evaluator = new NetworkClassifier(network, card, batch);
    stack.move();
    return new PhotoTraining(network, card, epochs, options, train, valid, optimizer, trainer, evaluator);
  }

  /** Epochs done. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether all epochs are done. */
  get finished(): boolean {
    return this.#epoch >= this.epochs;
  }

  /**
   * Trains an epoch and validates; `onStep` hears how many of its steps are done. Throws a `UserError` where the loss is not finite. After
   * `stop` is aborted it ends with the step that is going on, and gives undefined; the next call goes on with a new epoch.
   */
  async runEpoch(
    { stop, onStep = () => {} }: {
      readonly stop?: AbortSignal;
      readonly onStep?: (done: number, of: number) => void;
    } = {},
  ): Promise<EpochReport | undefined> {
    const { trainer, trainSource, validSource, evaluator, epochs } = this, { seed = 1, start } = this.options;
    const batches = trainingBatches(trainSource.entries.length, trainer.options.batch, seed, this.#epoch);
    const steps = epochs * batches.length, peak = OPTIMIZER_DEFAULTS.adamw.lr * (start ? ON_TOP : 1);
    const plan = {
      schedule: "cosine",
      lr: peak,
      steps,
      warmup: defaultWarmup("cosine", steps).warmup,
    } as const;
    let stopped = false;
    for (const [i, batch] of batches.entries()) {
      const photos = trainingPhotos(
        trainSource,
        batch,
        this.#epoch,
        { seed, augment: "light" },
        this.card.preprocess,
      );
      const rate = learningRate(plan, Math.min(steps - 1, this.#epoch * batches.length + i));
      await trainer.runFirst(photos, labelsOf(trainSource, batch), rate);
      onStep(i + 1, batches.length);
      // So that it can be stopped, and so that what is submitted does not pile up.
      await trainer.network.gpu.settle();
      stopped = stop?.aborted ?? false;
      if (stopped) break;
    }
    const { loss, accuracy } = await trainer.metrics();
    if (!Number.isFinite(loss)) {
      throw new UserError(
        "The loss is not finite any more: train anew, on other photos or from another model",
      );
    }
    if (stopped) return undefined;
    this.#epoch++;
    const valid = validSource.entries.length > 0 ? await evaluate(evaluator, validSource) : undefined;
    return this.#report = { epoch: this.#epoch, epochs, train: { loss, accuracy }, valid };
  }

  /** The model as it is now. */
  async checkpoint(): Promise<Checkpoint> {
    const values = await this.network.parameters.read();
    const tensors = new Map(
      this.network.parameters.all.map((
        { name, spec },
      ) => [name, { shape: spec.shape, data: values.get(name)! }]),
    );
    const valid = this.#report?.valid;
    const training = {
      ...{
        epoch: this.#epoch,
        step: this.trainer.step,
        optimizer: "adamw",
        batchSize: this.trainer.options.batch,
      },
      ...valid && {
        validationAccuracy: valid.accuracy,
        validationBalancedAccuracy: valid.balancedAccuracy,
        validationLoss: valid.loss,
        confusion: valid.confusion.map((row) => [...row]),
      },
    };
    return { card: { ...this.card, training }, tensors };
  }

  /** The same as a safetensors file, which `predict`, `evaluate`, `serve` and `train --weights` take. */
  async file(): Promise<Uint8Array<ArrayBuffer>> {
    return encodeCheckpoint(await this.checkpoint());
  }

  /** Frees network, optimiser and plans; nothing may be going on. */
  [Symbol.dispose](): void {
    void this.evaluator.close();
    this.trainer[Symbol.dispose]();
    this.optimizer[Symbol.dispose]();
    this.network[Symbol.dispose]();
  }
}

function requirePhotos(classes: readonly string[], photos: readonly LabelledPhoto[]): void {
  if (classes.length < 2) {
    throw new UserError(`Cannot train on ${count(classes.length, "class", "classes")}: wanted at least two`);
  }
  const twice = classes.find((name, i) => classes.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UserError(`Cannot train: two classes are called ${JSON.stringify(twice)}`);
  }
  const without = classes.find((_, label) => !photos.some((photo) => photo.label === label));
  if (without !== undefined) {
    throw new UserError(`Cannot train: the class ${JSON.stringify(without)} has no photo`);
  }
}

/** One photo in five of every class that has enough is held out, drawn by the seed. */
function split(photos: readonly LabelledPhoto[], seed: number): { train: PhotoSource; valid: PhotoSource } {
  const held = new Set<number>();
  for (const [label, members] of Map.groupBy(photos.keys(), (i) => photos[i]!.label)) {
    const order = shuffle(members.length, seed + label, 0, Stream.split);
    for (let i = 0; i < Math.floor(members.length / HELD_OUT); i++) held.add(members[order[i]!]!);
  }
  return {
    train: sourceOf(photos.filter((_, i) => !held.has(i))),
    valid: sourceOf(photos.filter((_, i) => held.has(i))),
  };
}

function sourceOf(entries: readonly LabelledPhoto[]): PhotoSource {
  return { entries, pixels: (index) => entries[index]!.data };
}
