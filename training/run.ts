/**
 * A whole run: data, epochs, validation, checkpoints, the final test.
 * @module
 */
import { augmentMap } from "../data/augment.ts";
import { trainingBatchCount, trainingBatches } from "../data/sampler.ts";
import type { ModelCard, Preprocess } from "../model/card.ts";
import { type Checkpoint, loadCheckpoint } from "../model/checkpoint.ts";
import { NetworkClassifier } from "../model/classifier.ts";
import type { Network } from "../model/network.ts";
import type { PlacedPhoto } from "../model/photo_feed.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import type { Reporter } from "./events.ts";
import { createOptimizer } from "./optimizer.ts";
import type { RunOptions } from "./options.ts";
import type { PhotoSource } from "./photo_source.ts";
import type { RunFolder } from "./run_folder.ts";
import { learningRate } from "./schedule.ts";
import { type Metrics, Trainer } from "./trainer.ts";

/** The loss was not finite: the message names the step and the first layer that shows it. */
export class DivergedError extends Error {
  override readonly name = "DivergedError";
}

/** The photos of each split. */
export interface RunData {
  readonly train: PhotoSource;
  readonly valid: PhotoSource;
  readonly test: PhotoSource;
}

/** Steps between two readings of the device's metrics. */
const READ_EVERY = 10;

/** Trains `network` and returns the best checkpoint's result. `signal` stops after the current step and keeps `last`. */
export async function runTraining(
  network: Network,
  data: RunData,
  options: RunOptions,
  card: Omit<ModelCard, "training">,
  folder: RunFolder,
  report: Reporter,
  signal?: AbortSignal,
): Promise<Evaluation | undefined> {
  const started = performance.now();
  const { train, valid, test } = data;
  const perEpoch = trainingBatchCount(train.entries.length, options.batchSize);
  const steps = options.steps ?? options.epochs * perEpoch;
  const epochs = Math.ceil(steps / perEpoch);
  using optimizer = createOptimizer(network.parameters, options);
  using trainer = await Trainer.create(network, optimizer, {
    batch: options.batchSize,
    capacity: options.batchSize * largest(train),
    preprocess: card.preprocess,
    seed: options.seed,
    labelSmoothing: options.labelSmoothing,
    clipNorm: options.clipNorm,
    checkNumerics: options.checkNumerics,
  });
  const judge = new NetworkClassifier(network, card, options.batchSize);
  // All device memory is taken now, so that a run that starts also ends.
  const rest = valid.entries.length % options.batchSize;
  if (valid.entries.length > 0) await judge.warm(rest > 0 ? [options.batchSize, rest] : [options.batchSize]);
  const meter = new RateMeter(options.batchSize);
  let best: { accuracy: number; loss: number } | undefined;
  let stopped = false;
  let progress: NonNullable<ModelCard["training"]> = { epoch: 0, step: 0 };

  for (let epoch = 0; epoch < epochs && !stopped; epoch++) {
    const batches = trainingBatches(train.entries.length, options.batchSize, options.seed, epoch);
    const sums = { images: 0, loss: 0, hits: 0 };
    const left = Math.min(batches.length, steps - trainer.step);
    meter.start();
    for (let b = 0; b < left && !stopped; b++) {
      const rate = learningRate({ ...options, steps }, trainer.step);
      trainer.run(
        place(train, batches[b]!, epoch, options, card.preprocess),
        labelsOf(train, batches[b]!),
        rate,
      );
      if (options.checkNumerics) await requireFiniteLayers(trainer);
      stopped = signal?.aborted ?? false;
      if ((b + 1) % READ_EVERY === 0 || b === left - 1 || stopped) {
        const metrics = await trainer.metrics();
        const first = trainer.step - metrics.losses.length;
        await requireFinite(trainer, metrics, (step) => {
          const batch = batches[b + 1 - (trainer.step - step)]!;
          return [place(train, batch, epoch, options, card.preprocess), labelsOf(train, batch)];
        }, first);
        sums.images += metrics.images;
        sums.loss += metrics.loss * metrics.images;
        sums.hits += metrics.accuracy * metrics.images;
        const imagesPerSecond = meter.mark(metrics.losses.length);
        report({
          event: "step",
          epoch: epoch + 1,
          step: trainer.step,
          steps,
          loss: metrics.loss,
          accuracy: metrics.accuracy,
          lr: rate,
          imagesPerSecond,
          secondsLeft: (steps - trainer.step) * options.batchSize / imagesPerSecond,
        });
      }
    }
    if (stopped) break;
    const judged = valid.entries.length > 0 ? await evaluate(judge, valid) : undefined;
    progress = {
      epoch: epoch + 1,
      step: trainer.step,
      ...judged && {
        validationAccuracy: judged.accuracy,
        validationLoss: judged.loss,
        confusion: judged.confusion.map((row) => [...row]),
      },
    };
    const better = !judged || !best || judged.accuracy > best.accuracy ||
      (judged.accuracy === best.accuracy && judged.loss < best.loss);
    if (better) {
      best = judged ?? { accuracy: 0, loss: 0 };
      await folder.save("best", await snapshot(network, card, progress));
    }
    const trainLoss = sums.loss / sums.images, trainAccuracy = sums.hits / sums.images;
    const imagesPerSecond = meter.epoch();
    await folder.log({
      epoch: epoch + 1,
      step: trainer.step,
      lr: learningRate({ ...options, steps }, trainer.step - 1),
      train_loss: trainLoss,
      train_accuracy: trainAccuracy,
      valid_loss: judged?.loss,
      valid_accuracy: judged?.accuracy,
      images_per_second: Math.round(imagesPerSecond * 10) / 10,
    });
    report({
      event: "epoch",
      epoch: epoch + 1,
      step: trainer.step,
      trainLoss,
      trainAccuracy,
      valid: judged,
      best: better,
      imagesPerSecond,
    });
  }

  const last = await folder.save("last", await snapshot(network, card, { ...progress, step: trainer.step }));
  const bestPath = best && folder.file("best.safetensors");
  const split = stopped
    ? "none"
    : test.entries.length > 0
    ? "test"
    : valid.entries.length > 0
    ? "valid"
    : "none";
  let result: Evaluation | undefined;
  if (split !== "none" && bestPath) {
    network.load((await loadCheckpoint(bestPath)).tensors);
    result = await evaluate(judge, data[split]);
  }
  await judge.close();
  const seconds = (performance.now() - started) / 1000;
  report({ event: "end", stopped, seconds, split, result, best: bestPath, last });
  return result;
}

/** Most pixels of any photo. */
function largest(source: PhotoSource): number {
  return source.entries.reduce((most, e) => Math.max(most, e.width * e.height), 1);
}

function place(
  source: PhotoSource,
  batch: Uint32Array,
  epoch: number,
  { seed, augment }: RunOptions,
  output: Preprocess,
): PlacedPhoto[] {
  return [...batch].map((index) => {
    const photo = source.read(index);
    const map = augmentMap({
      seed,
      epoch,
      index,
      level: augment,
      source: photo,
      output,
      resize: output.resize,
    });
    return { ...photo, map };
  });
}

function labelsOf(source: PhotoSource, batch: Uint32Array): number[] {
  return [...batch].map((index) => source.entries[index]!.label);
}

async function snapshot(
  network: Network,
  card: Omit<ModelCard, "training">,
  training: NonNullable<ModelCard["training"]>,
): Promise<Checkpoint> {
  const values = await network.parameters.read();
  const tensors = new Map(
    network.parameters.all.map((
      { name, spec },
    ) => [name, { shape: [...spec.shape], data: values.get(name)! }]),
  );
  return { card: { ...card, training }, tensors };
}

/** Throws `DivergedError` at the first step since the last reading whose loss is not finite. */
async function requireFinite(
  trainer: Trainer,
  { losses }: Metrics,
  batchOf: (step: number) => [PlacedPhoto[], number[]],
  first: number,
): Promise<void> {
  const bad = losses.findIndex((loss) => !Number.isFinite(loss));
  if (bad < 0) return;
  const step = first + bad;
  const section = await trainer.findNonFinite(...batchOf(step));
  const where = section ? `first seen in ${section.layer}, ${section.pass} pass` : "first seen in the loss";
  throw new DivergedError(
    `Training stopped: the loss of step ${step + 1} is ${losses[bad]}, ${where}; a lower --lr usually helps`,
  );
}

/** Throws `DivergedError` naming the first layer of the last step whose output is not finite. */
async function requireFiniteLayers(trainer: Trainer): Promise<void> {
  const found = await trainer.firstNonFinite();
  if (!found) return;
  const { layer, pass, count, first } = found;
  throw new DivergedError(
    `Training stopped: in step ${trainer.step}, ${pass} pass, ${layer} gave ${count} values that are not finite, ` +
      `the first at [${first}]`,
  );
}

/** Images per second of training alone, validation left out. */
class RateMeter {
  #from = 0;
  #images = 0;
  #seconds = 0;
  constructor(readonly batch: number) {}

  /** An epoch's training begins. */
  start(): void {
    this.#from = performance.now();
    this.#images = this.#seconds = 0;
  }

  /** Steps done since the last call; returns the rate over them. */
  mark(steps: number): number {
    const now = performance.now();
    const seconds = (now - this.#from) / 1000;
    this.#from = now;
    this.#images += steps * this.batch;
    this.#seconds += seconds;
    return steps * this.batch / seconds;
  }

  /** The rate over the epoch. */
  epoch(): number {
    return this.#images / this.#seconds;
  }
}
