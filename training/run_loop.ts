/**
 * The loop over epochs and steps, and what lives as long as it.
 * @module
 */
import { trainingBatches } from "../data/dataset/sampler.ts";
import type { ModelCard } from "../model/checkpoint/card.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { NetworkClassifier } from "../model/inference/classifier.ts";
import type { Network } from "../model/network.ts";
import { WeightAverage } from "./average.ts";
import { balancedWeights } from "./class_weights.ts";
import { requireFiniteLayers, requireFiniteLoss } from "./diverged.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";
import { createOptimizer } from "./optimizer.ts";
import { runLength, type RunOptions } from "./options.ts";
import { labelsOf, mostPixels, trainingPhotos } from "./photo_source.ts";
import { RateMeter } from "./rate_meter.ts";
import type { RunControl, RunData } from "./run_control.ts";
import { RunSaver } from "./run_saver.ts";
import { learningRate } from "./schedule.ts";
import { deviceOf, loadState, type Progress, START } from "./state.ts";
import { Trainer } from "./trainer.ts";

/** Steps between two readings of the device's metrics. */
const READ_EVERY = 10;

/** What lives as long as a run. */
export class RunLoop {
  progress: Progress = START;
  readonly #trainer: Trainer;
  readonly #saver: RunSaver;
  readonly #judge: NetworkClassifier;
  readonly #length: ReturnType<typeof runLength>;

  private constructor(
    readonly data: RunData,
    readonly options: RunOptions,
    readonly card: Omit<ModelCard, "training">,
    readonly control: RunControl,
    parts: { trainer: Trainer; saver: RunSaver; judge: NetworkClassifier; progress: Progress },
  ) {
    this.#trainer = parts.trainer;
    this.#saver = parts.saver;
    this.#judge = parts.judge;
    this.progress = parts.progress;
    this.#length = runLength(options, data.train.entries.length);
  }

  /** Takes all device memory at once, so that a run that starts also ends. */
  static async open(
    network: Network,
    data: RunData,
    options: RunOptions,
    card: Omit<ModelCard, "training">,
    control: RunControl,
  ): Promise<RunLoop> {
    const { batchSize: batch, accumulate, ema, classWeights } = options;
    const { train, valid } = data;
    const optimizer = createOptimizer(network.parameters, options);
    const average = ema === undefined ? undefined : new WeightAverage(network, ema);
    const saver = new RunSaver(control.folder, { network, optimizer, average }, card);
    const { perEpoch, steps } = runLength(options, train.entries.length);
    let progress = START;
    if (control.resume) {
      progress = await loadState(control.folder.file("last.state.safetensors"), saver.trained);
      // From here on the state is known to be whole, so files of the run may be changed.
      await control.folder.reconfigure(options);
      if (progress.step < steps) {
        progress = atStep(progress, perEpoch);
        await control.folder.rewindLog(progress.epoch);
      }
      control.report({ event: "note", text: resumedText(progress, network) });
    }
    const trainer = await Trainer.create(network, optimizer, {
      batch,
      accumulate,
      average,
      step: progress.step,
      capacity: batch * mostPixels(train),
      preprocess: card.preprocess,
      seed: options.seed,
      labelSmoothing: options.labelSmoothing,
      ...classWeights === "balanced" && { classWeights: balancedWeights(train, card.classes.length) },
      clipNorm: options.clipNorm,
      checkNumerics: options.checkNumerics,
    });
    const judge = new NetworkClassifier(saver.judged, card, batch);
    const rest = valid.entries.length % batch;
    if (valid.entries.length > 0) await judge.warm(rest > 0 ? [batch, rest] : [batch]);
    return new RunLoop(data, options, card, control, { trainer, saver, judge, progress });
  }

  /** All epochs that are left; true if stopped before the end. */
  async train(): Promise<boolean> {
    const meter = new RateMeter(this.options.batchSize * this.options.accumulate);
    while (this.#trainer.step < this.#length.steps) {
      if (!await this.#trainEpoch(meter)) return true;
      await this.#endEpoch(meter);
    }
    return false;
  }

  /** The steps of an epoch that are left; false if stopped. */
  async #trainEpoch(meter: RateMeter): Promise<boolean> {
    const { options, data: { train }, control: { signal, saveEvery } } = this;
    const { epoch } = this.progress, { perEpoch, steps } = this.#length;
    const trainer = this.#trainer;
    const batches = trainingBatches(
      train.entries.length,
      options.batchSize * options.accumulate,
      options.seed,
      epoch,
    );
    const begin = epoch * perEpoch, end = Math.min(begin + perEpoch, steps);
    const batchOf = (step: number): [ReturnType<typeof trainingPhotos>, number[]] => {
      const batch = batches[step - begin]!;
      return [trainingPhotos(train, batch, epoch, options, this.card.preprocess), labelsOf(train, batch)];
    };
    meter.start();
    while (trainer.step < end) {
      const rate = learningRate({ ...options, steps }, trainer.step);
      if (options.checkNumerics) {
        requireFiniteLayers(trainer, await trainer.runChecked(...batchOf(trainer.step), rate));
      } else {
        trainer.run(...batchOf(trainer.step), rate);
      }
      const stopped = signal?.aborted ?? false;
      const save = saveEvery !== undefined && trainer.step % saveEvery === 0 && trainer.step < end;
      if ((trainer.step - begin) % READ_EVERY === 0 || trainer.step === end || stopped || save) {
        const metrics = await trainer.metrics();
        await requireFiniteLoss(trainer, metrics, batchOf);
        this.#count(metrics, rate, meter.mark(metrics.losses.length));
      }
      if (stopped) return false;
      if (save) await this.#saver.state(this.progress);
    }
    return true;
  }

  #count(
    metrics: { images: number; loss: number; accuracy: number },
    lr: number,
    imagesPerSecond: number,
  ): void {
    const { images, loss, accuracy } = metrics, { sums, epoch } = this.progress, { steps } = this.#length;
    const { step } = this.#trainer;
    this.progress = {
      ...this.progress,
      step,
      sums: {
        images: sums.images + images,
        loss: sums.loss + loss * images,
        hits: sums.hits + accuracy * images,
      },
    };
    const perStep = this.options.batchSize * this.options.accumulate;
    const secondsLeft = (steps - step) * perStep / imagesPerSecond;
    this.control.report({
      ...{ event: "step", epoch: epoch + 1, step, steps, loss, accuracy, lr, imagesPerSecond, secondsLeft },
    });
  }

  /** Validates, keeps the best, logs. */
  async #endEpoch(meter: RateMeter): Promise<void> {
    const { data: { valid }, options, control: { folder, report } } = this;
    const { sums, best, step } = this.progress, epoch = this.progress.epoch + 1;
    const judged = valid.entries.length > 0 ? await evaluate(this.#judge, valid) : undefined;
    const training = {
      epoch,
      step,
      ...judged && {
        validationAccuracy: judged.accuracy,
        validationLoss: judged.loss,
        confusion: judged.confusion.map((row) => [...row]),
      },
    };
    const better = !judged || !best || judged.accuracy > best.accuracy ||
      (judged.accuracy === best.accuracy && judged.loss < best.loss);
    if (better) await this.#saver.best(training);
    const trainLoss = sums.loss / sums.images, trainAccuracy = sums.hits / sums.images;
    const imagesPerSecond = meter.epoch();
    await folder.log({
      epoch,
      step,
      lr: learningRate({ ...options, steps: this.#length.steps }, step - 1),
      train_loss: trainLoss,
      train_accuracy: trainAccuracy,
      valid_loss: judged?.loss,
      valid_accuracy: judged?.accuracy,
      images_per_second: Math.round(imagesPerSecond * 10) / 10,
    });
    this.progress = {
      ...{ step, epoch, training, sums: START.sums },
      best: better ? { accuracy: judged?.accuracy ?? 0, loss: judged?.loss ?? 0 } : best,
    };
    await this.saveLast();
    report({
      event: "epoch",
      epoch,
      step,
      trainLoss,
      trainAccuracy,
      valid: judged,
      best: better,
      imagesPerSecond,
    });
  }

  /** Keeps where the run stands; resolves with the path of `last.safetensors`. */
  saveLast(): Promise<string> {
    return this.#saver.last(this.progress);
  }

  /** The best checkpoint on the test split, or on the validation split where there is none. */
  async test(): Promise<{ split: "test" | "valid" | "none"; result: Evaluation | undefined }> {
    const { test, valid } = this.data;
    const split = test.entries.length > 0 ? "test" : valid.entries.length > 0 ? "valid" : "none";
    if (split === "none" || !this.progress.best) return { split: "none", result: undefined };
    this.#saver.judged.load((await loadCheckpoint(this.control.folder.file("best.safetensors"))).tensors);
    return { split, result: await evaluate(this.#judge, this.data[split]) };
  }

  async close(): Promise<void> {
    await this.#judge.close();
    const { optimizer, average } = this.#saver.trained;
    this.#trainer[Symbol.dispose]();
    average?.[Symbol.dispose]();
    optimizer[Symbol.dispose]();
  }
}

/** A run that is lengthened goes on in the epoch that it ended in, which counts from here on. */
function atStep(progress: Progress, perEpoch: number): Progress {
  const epoch = Math.floor(progress.step / perEpoch);
  return epoch === progress.epoch ? progress : { ...progress, epoch };
}

function resumedText({ step, device }: Progress, { gpu }: Network): string {
  const now = deviceOf(gpu);
  if (device?.adapter === now.adapter && device.tiles === now.tiles) return `Resumed   after step ${step}`;
  const then = device ? `${device.adapter} with tiles ${device.tiles}` : "an unknown adapter";
  return `Resumed   after step ${step}, which was done on ${then}: what follows is close to the unbroken run, not bitwise equal`;
}
