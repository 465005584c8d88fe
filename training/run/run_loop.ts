/**
 * A whole run: epochs of steps, validation, checkpoints, the final test.
 * @module
 */
import { count } from "../../engine/text.ts";
import { balancedOrder, trainingBatches } from "../../data/dataset/batches.ts";
import { ALONE, fromFirst } from "../../distributed/communicator.ts";
import { shareMemory } from "../../distributed/share_memory.ts";
import { type Checkpoint, loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import { WeightAverage } from "../step/average.ts";
import { evaluate, type Evaluation } from "../evaluation/evaluate.ts";
import type { Metrics } from "../step/loss_meter.ts";
import { meanParts } from "../step/loss_sums.ts";
import { createOptimizer } from "../step/optimizer.ts";
import { labelsOf, trainingPhotos } from "../photos/photos.ts";
import {
  counted,
  DivergedError,
  isBest,
  type Progress,
  progressSchema,
  RateMeter,
  requireFiniteLayers,
  requireFiniteLoss,
  START,
} from "./progress.ts";
import { Paces } from "../options/paces.ts";
import { recipeOf, resumeProgress, type Run, trainerOf } from "./run.ts";
import { learningRate } from "../options/schedule.ts";
import { batchesOfStep, type RunLength, runLength } from "../options/settle.ts";
import { sizeOfEpoch } from "./stages.ts";
import { LABEL_ISSUES } from "./run_folder.ts";
import { RunSaver } from "./state.ts";
import { topEpochs } from "./top_epochs.ts";
import type { Trainer } from "../step/trainer.ts";
import { chooseTrust, suspectsAmong, trustLines } from "../evaluation/trust.ts";

/** Steps between two readings of the device's metrics. */
const READ_EVERY = 10;

/** Carries out a run; returns the best checkpoint's result, or undefined if stopped or untested. */
export async function runTraining(run: Run): Promise<Evaluation | undefined> {
  const started = performance.now();
  const loop = await RunLoop.open(run);
  if (run.resume) await run.folder.noteDivergence(undefined);
  try {
    const stopped = await loop.train();
    // A run that was already finished may have ended between its state and its last checkpoint.
    const last = stopped || !loop.trained ? await loop.saveLast() : run.folder.file("last.safetensors");
    const { split, result } = stopped ? { split: "none" as const, result: undefined } : await loop.test();
    const seconds = (performance.now() - started) / 1000;
    const best = loop.progress.best && run.folder.file("best.safetensors");
    const trainedBefore = split === "none" ? 0 : run.seen?.[split] ?? 0;
    run.report({ event: "end", stopped, ...loop.place, seconds, split, result, trainedBefore, best, last });
    return result;
  } catch (error) {
    if (error instanceof DivergedError) await run.folder.noteDivergence(error.message);
    throw error;
  } finally {
    await loop.close();
  }
}

/** The loop over epochs and steps, and what lives as long as it. */
class RunLoop {
  progress: Progress;
  /** Whether a step was made here. */
  trained = false;
  readonly #run: Run;
  #trainer: Trainer;
  readonly #saver: RunSaver;
  readonly #evaluator: NetworkClassifier;
  readonly #length: RunLength;

  private constructor(
    run: Run,
    parts: { trainer: Trainer; saver: RunSaver; evaluator: NetworkClassifier; progress: Progress },
  ) {
    this.#run = run;
    this.#trainer = parts.trainer;
    this.#saver = parts.saver;
    this.#evaluator = parts.evaluator;
    this.progress = parts.progress;
    this.#length = runLength(run.options, run.data.train.entries.length);
  }

  /** Takes all device memory at once, so that a run that starts also ends. */
  static async open(run: Run): Promise<RunLoop> {
    const { network, data: { train, valid }, options, card, folder, ranks = ALONE } = run;
    const { batchSize: batch, ema } = options;
    const { epochs, perEpoch } = runLength(options, train.entries.length), paces = new Paces(options);
    const paceOf = (group: string) => paces.paceOf(group, perEpoch);
    const optimizer = createOptimizer(network.parameters, { ...options, paceOf });
    const average = ema === undefined ? undefined : new WeightAverage(network, ema);
    const saver = new RunSaver(folder, { network, optimizer, average }, card, recipeOf(options));
    const progress = run.resume
      ? await fromFirst(ranks, () => resumeProgress(run, saver)).then((value) => progressSchema.parse(value))
      : START;
    // Every rank goes on from the bits of the first, which alone reads files of the run.
    await saver.share(ranks);
    const first = sizeOfEpoch(options, progress.epoch, epochs);
    // The inputs that come later are the larger ones.
    if (first !== options.size) {
      (await trainerOf(run, saver.trained, progress, options.size))[Symbol.dispose]();
    }
    const trainer = await trainerOf(run, saver.trained, progress, first);
    const evaluator = new NetworkClassifier(saver.kept, card, batch);
    const rest = valid.entries.length % batch;
    if (valid.entries.length > 0) await evaluator.warm(rest > 0 ? [batch, rest] : [batch]);
    return new RunLoop(run, { trainer, saver, evaluator, progress });
  }

  /** Where it stands, for people: epochs counted from 1. */
  get place(): { epoch: number; step: number; steps: number } {
    const { step } = this.progress, { perEpoch, steps } = this.#length;
    return { epoch: Math.max(1, Math.ceil(step / perEpoch)), step, steps };
  }

  /** All epochs that are left; true if stopped before the end. */
  async train(): Promise<boolean> {
    const meter = new RateMeter();
    while (this.#trainer.step < this.#length.steps && !this.#waitedEnough()) {
      this.trained = true;
      await this.#resize();
      if (!await this.#trainEpoch(meter)) return true;
      await this.#endEpoch(meter);
    }
    return false;
  }

  /** Trains on inputs of the epoch's size from here on. */
  async #resize(): Promise<void> {
    const run = this.#run, { progress } = this;
    const size = sizeOfEpoch(run.options, progress.epoch, this.#length.epochs);
    const { width } = this.#trainer.options.preprocess;
    if (size === width) return;
    this.#trainer[Symbol.dispose]();
    this.#trainer = await trainerOf(run, this.#saver.trained, progress, size);
    const text = `Resized   training inputs from ${width}x${width} to ${size}x${size}, from epoch ${
      progress.epoch + 1
    } on`;
    run.report({ event: "note", text });
  }

  /** Whether no epoch of the last `patience` ones was better than the best; says so. */
  #waitedEnough(): boolean {
    const { options: { patience }, report } = this.#run, { waited, epoch, step } = this.progress;
    if (patience === undefined || waited < patience || step >= this.#length.steps) return false;
    const text = `Ended     after epoch ${epoch}: no better validation in ${
      count(patience, "epoch")
    } (patience)`;
    report({ event: "note", text });
    return true;
  }

  /** The steps of an epoch that are left; false if stopped. */
  async #trainEpoch(meter: RateMeter): Promise<boolean> {
    const { options, data: { train }, signal, saveEvery, ranks = ALONE } = this.#run;
    const { epoch } = this.progress, { perEpoch, steps } = this.#length;
    const trainer = this.#trainer, { preprocess } = trainer.options;
    const { batchSize, seed } = options;
    const labels = train.entries.map(({ label }) => label);
    const order = options.sampling === "balanced" ? balancedOrder(labels, seed, epoch) : undefined;
    const batches = trainingBatches(labels.length, batchSize, seed, epoch, batchesOfStep(options), order);
    const begin = epoch * perEpoch, end = Math.min(begin + perEpoch, steps);
    const batchOf = (step: number) => {
      const batch = batches[step - begin]!, { first, end } = trainer.shareOf(batch.length);
      const own = batch.subarray(first, end);
      return {
        photos: trainingPhotos(train, own, epoch, options, preprocess),
        labels: labelsOf(train, own),
        images: batch.length,
      };
    };
    meter.start();
    while (trainer.step < end) {
      const rate = learningRate({ ...options, steps }, trainer.step);
      const { photos, labels, images } = batchOf(trainer.step);
      const fresh = trainer.fresh, args = [photos, labels, rate] as const;
      let stopped = signal?.aborted ?? false;
      if (trainer.shared) {
        const made = await trainer.runShared(...args, { images, stopping: stopped });
        requireFiniteLayers(trainer, made.found);
        // All ranks stop after the same step.
        stopped = made.stopped;
      } else if (options.checkNumerics) requireFiniteLayers(trainer, await trainer.runChecked(...args));
      else if (fresh) await trainer.runFirst(...args);
      else trainer.run(...args);
      if (fresh) meter.leaveOut(images);
      if (ranks.size === 1) stopped = signal?.aborted ?? false;
      const save = saveEvery !== undefined && trainer.step % saveEvery === 0 && trainer.step < end;
      const keep = (trainer.step - begin) % READ_EVERY > 0 && trainer.step < end;
      if (!keep || stopped || save) {
        const metrics = await trainer.metrics({ keep });
        await requireFiniteLoss(trainer, metrics, batchOf, ranks);
        const seen = metrics.images - (this.progress.open?.images ?? 0);
        this.progress = counted(this.progress, trainer.step, metrics.sums, keep);
        this.#reportStep(metrics, rate, meter.mark(seen));
      }
      if (stopped) return false;
      if (save) await this.#saver.state(this.progress);
    }
    return true;
  }

  #reportStep(
    { loss, accuracy, parts }: Pick<Metrics, "loss" | "accuracy" | "parts">,
    lr: number,
    imagesPerSecond: number | null,
  ): void {
    const { step, epoch } = this.progress, { steps } = this.#length;
    const { options } = this.#run;
    const images = (steps - step) * options.batchSize * batchesOfStep(options);
    const secondsLeft = images === 0 ? 0 : imagesPerSecond && images / imagesPerSecond;
    this.#run.report({
      ...{ event: "step", epoch: epoch + 1, step, steps, loss, accuracy, lr, imagesPerSecond, secondsLeft },
      deviceBytes: this.#run.network.gpu.bytes,
      ...parts && { targets: parts },
    });
  }

  /** Validates, keeps the best, logs. */
  async #endEpoch(meter: RateMeter): Promise<void> {
    const { data, options, folder, report, ranks } = this.#run;
    const { sums, best, step } = this.progress, epoch = this.progress.epoch + 1;
    const valid = data.valid.entries.length > 0
      ? await evaluate(this.#evaluator, data.valid, { ranks })
      : undefined;
    const training = {
      epoch,
      step,
      ...valid && {
        validationAccuracy: valid.accuracy,
        validationBalancedAccuracy: valid.balancedAccuracy,
        validationLoss: valid.loss,
        confusion: valid.confusion.map((row) => [...row]),
      },
    };
    const better = isBest(valid, best);
    if (better) await this.#saver.best(training);
    const ranked = { epoch, accuracy: valid?.accuracy ?? 0, loss: valid?.loss ?? NaN };
    const kept = topEpochs(this.progress.kept, ranked, options.topK);
    if (kept.includes(ranked)) await this.#saver.epoch(training);
    const trainLoss = sums.loss / sums.images, trainAccuracy = sums.hits / sums.images;
    const imagesPerSecond = meter.epoch(), targets = meanParts(sums);
    await folder.log({
      epoch,
      step,
      lr: learningRate({ ...options, steps: this.#length.steps }, step - 1),
      train_loss: trainLoss,
      train_accuracy: trainAccuracy,
      valid_loss: valid?.loss,
      valid_accuracy: valid?.accuracy,
      images_per_second: imagesPerSecond === null ? undefined : Math.round(imagesPerSecond * 10) / 10,
      target_cross_entropy: targets?.crossEntropy,
      target_divergence: targets?.divergence,
      target_entropy: targets?.entropy,
    });
    this.progress = {
      ...{ step, epoch, training, sums: START.sums },
      kept,
      waited: better ? 0 : this.progress.waited + 1,
      best: better ? { accuracy: valid?.accuracy ?? 0, loss: valid?.loss ?? 0 } : best,
    };
    await this.saveLast();
    // What is no longer kept goes once the state says so: a run that is killed before has one more than it needs.
    if (options.topK > 0) await folder.keepEpochs(kept.map((one) => one.epoch));
    report({
      ...{ event: "epoch", epoch, step, trainLoss, trainAccuracy, valid, best: better, imagesPerSecond },
      ...targets && { targets },
    });
  }

  /** Keeps where the run stands; resolves with the path of `last.safetensors`. */
  saveLast(): Promise<string> {
    return this.#saver.last(this.progress);
  }

  /** The best checkpoint on the test split, or on the validation split where there is none. */
  async test(): Promise<{ split: "test" | "valid" | "none"; result: Evaluation | undefined }> {
    const { data, folder, ranks = ALONE } = this.#run;
    const split = data.test.entries.length > 0 ? "test" : data.valid.entries.length > 0 ? "valid" : "none";
    if (split === "none" || !this.progress.best) return { split: "none", result: undefined };
    const { kept } = this.#saver;
    const best = folder.writes ? await loadCheckpoint(folder.file("best.safetensors")) : undefined;
    if (best) kept.load(best.tensors);
    await shareMemory(ranks, kept.gpu, kept.parameters.arenas.map(({ values }) => values));
    const saved = best ?? { card: this.#run.card, tensors: new Map() };
    const own = await fromFirst(ranks, () => saved.card);
    // What it holds on the device is for those that come now.
    await this.#evaluator.close();
    const { card, exemplars } = await this.#trust({ ...saved, card: own });
    const classifier = new NetworkClassifier(kept, card, this.#evaluator.maxBatch, { exemplars });
    try {
      return { split, result: await evaluate(classifier, data[split], { ranks }) };
    } finally {
      await classifier.close();
    }
  }

  /** Chooses the temperature and the rule for unknown photos of the best checkpoint, and writes it again with them. */
  async #trust(checkpoint: Checkpoint): Promise<Checkpoint> {
    const { data, folder, report, ranks, options: { falseRefusals, overfitBatch } } = this.#run;
    if (overfitBatch) return checkpoint;
    const trust = await chooseTrust(this.#saver.kept, checkpoint.card, data, {
      ...{ falseRefusals, ranks },
      batch: this.#evaluator.maxBatch,
      onProgress: (done, total) => report({ event: "progress", what: "Calibrating on photo", done, total }),
    });
    const note = (text: string) => report({ event: "note", text });
    trustLines(trust, data.valid.entries.length).forEach(note);
    if (!trust) return checkpoint;
    const { calibration, unknown, exemplars, predictions } = trust;
    const suspects = suspectsAmong(predictions, this.#run.options.data ?? "");
    await folder.writeLabelIssues(suspects);
    if (suspects.issues.length > 0) {
      note(
        `Labels    ${suspects.issues.length} of ${
          count(suspects.judged, "validation label")
        } may be wrong: ` +
          folder.file(LABEL_ISSUES),
      );
    }
    const trusted = { ...checkpoint, card: { ...checkpoint.card, calibration, unknown }, exemplars };
    await folder.save("best", trusted);
    return trusted;
  }

  async close(): Promise<void> {
    await this.#evaluator.close();
    const { optimizer, average } = this.#saver.trained;
    this.#trainer[Symbol.dispose]();
    average?.[Symbol.dispose]();
    optimizer[Symbol.dispose]();
  }
}
