/**
 * What a run knows about itself: how far it has come, how fast, how good, and whether its numbers are still finite.
 * @module
 */
import { z } from "zod";
import { UserError } from "../../engine/errors.ts";
import { ALONE, type Communicator, gatherValues } from "../../distributed/communicator.ts";
import type { CompileStage } from "../../engine/gpu.ts";
import { type TrainingRecord, trainingRecordSchema } from "../../model/checkpoint/card.ts";
import type { PlacedPhoto } from "../../model/inference/photo_feed.ts";
import type { Evaluation } from "../evaluation/evaluate.ts";
import type { Reporter } from "./events.ts";
import type { FoundNonFinite } from "../step/numeric_checks.ts";
import type { Label } from "../../model/training_step.ts";
import { addedUp, type LossSums, partsSchema } from "../step/loss_sums.ts";
import type { Metrics } from "../step/loss_meter.ts";
import { type RankedEpoch, rankedEpochSchema } from "./top_epochs.ts";
import type { Trainer } from "../step/trainer.ts";

/** How far a run has come. */
export interface Progress {
  /** Steps done. */
  step: number;
  /** Whole epochs done. */
  epoch: number;
  /** Sums over the part of the epoch that is done, up to the last reading that began new ones. */
  sums: LossSums;
  /** Sums of the device since then. */
  open?: LossSums | undefined;
  /** The best checkpoint's validation. */
  best?: { accuracy: number; loss: number } | undefined;
  /** The epochs whose checkpoints are kept, the best first. */
  kept: readonly RankedEpoch[];
  /** Epochs since the best one. */
  waited: number;
  /** What computed it: only the same adapter with the same tiles goes on bit by bit. */
  device?: { adapter: string; tiles: string } | undefined;
  /** What the last epoch's checkpoint says about itself. */
  training: TrainingRecord;
}

const sumsSchema = z.object({
  images: z.number(),
  loss: z.number(),
  hits: z.number(),
  parts: partsSchema.optional(),
});

/** Reads a `Progress`. */
export const progressSchema: z.ZodType<Progress> = z.object({
  step: z.int().nonnegative(),
  epoch: z.int().nonnegative(),
  sums: sumsSchema,
  open: sumsSchema.optional(),
  best: z.object({ accuracy: z.number(), loss: z.number() }).optional(),
  // A state of an earlier version says of neither: it kept none, and begins to wait.
  kept: z.array(rankedEpochSchema).readonly().default([]),
  waited: z.int().nonnegative().default(0),
  device: z.object({ adapter: z.string(), tiles: z.string() }).optional(),
  training: trainingRecordSchema,
});

/** A run that has not begun. */
export const START: Progress = {
  step: 0,
  epoch: 0,
  sums: { images: 0, loss: 0, hits: 0 },
  kept: [],
  waited: 0,
  training: { epoch: 0, step: 0 },
};

/** The progress at a step, with what the device summed up since the last reading that began new sums; this one may `keep` them. */
export function counted(progress: Progress, step: number, read: LossSums, keep: boolean): Progress {
  if (keep) return { ...progress, step, open: read };
  return { ...progress, step, sums: addedUp(progress.sums, read), open: undefined };
}

/** The progress of a run that is continued: one that is lengthened goes on in the epoch that it ended in, which counts from here on. */
export function resumedIn(progress: Progress, perEpoch: number): Progress {
  const epoch = Math.floor(progress.step / perEpoch);
  return epoch === progress.epoch ? progress : { ...progress, epoch };
}

/** Whether an epoch's checkpoint is to be kept as the best: always without validation, else for accuracy, then loss. */
export function isBest(valid: Evaluation | undefined, best: Progress["best"]): boolean {
  return !valid || !best || valid.accuracy > best.accuracy ||
    (valid.accuracy === best.accuracy && valid.loss < best.loss);
}

/** Images per second of training alone, validation left out, and steps whose kernels had to be compiled. */
export class RateMeter {
  #from = 0;
  /** What was left out since the last call of `mark`. */
  #left: Part = NOTHING;
  #counted: Part = NOTHING;

  /** `now` in milliseconds. */
  constructor(readonly now: () => number = () => performance.now()) {}

  /** An epoch's training begins. */
  start(): void {
    this.#from = this.now();
    this.#counted = NOTHING;
  }

  /** The step since the last call, of that many images, compiled kernels: it tells nothing about the rate. */
  leaveOut(images: number): void {
    this.#left = sum(this.#left, { images, seconds: this.#passed() });
  }

  /** Images seen since the last call, those left out among them; returns the rate over the others, null where there is none. */
  mark(images: number): number | null {
    const part = { images: images - this.#left.images, seconds: this.#passed() };
    this.#left = NOTHING;
    // What is waited for after the only step is that step's.
    if (part.images > 0) this.#counted = sum(this.#counted, part);
    return rateOf(part);
  }

  /** The rate over the epoch; null where there was no step that counts. */
  epoch(): number | null {
    return rateOf(this.#counted);
  }

  /** Seconds since the last call. */
  #passed(): number {
    const from = this.#from;
    this.#from = this.now();
    return (this.#from - from) / 1000;
  }
}

/** Images, and the time that they took. */
type Part = { readonly images: number; readonly seconds: number };

const NOTHING: Part = { images: 0, seconds: 0 };

function sum(a: Part, b: Part): Part {
  return { images: a.images + b.images, seconds: a.seconds + b.seconds };
}

function rateOf({ images, seconds }: Part): number | null {
  return images > 0 ? images / seconds : null;
}

/** So long kernels compile before anyone is told: what the driver kept from another day is there at once. */
const QUIET_MS = 1000;

/** What tells how far the kernels are that become ready; for `Gpu.request`. */
export function compileProgress(
  report: Reporter,
  now: () => number = () => performance.now(),
): (what: CompileStage, done: number, total: number) => void {
  let from: number | undefined, told = false;
  return (what, done, total) => {
    from ??= now();
    told ||= done < total && now() - from > QUIET_MS;
    if (told) report({ event: "progress", what: `${what} kernel`, done, total });
    if (done === total) [from, told] = [undefined, false];
  };
}

/** The loss was not finite: the message names the step and the first layer that shows it. */
export class DivergedError extends UserError {
  /** The class's name. */
  override readonly name = "DivergedError";
}

/**
 * Throws a `DivergedError` at the first step since the last reading whose loss is not finite. `batchOf` gives this process's photos and
 * labels of a step, numbered from 0, and how many images the step has; `ranks` look for the layer together.
 */
export async function requireFiniteLoss(
  trainer: Trainer,
  { losses }: Metrics,
  batchOf: (step: number) => { photos: PlacedPhoto[]; labels: Label[]; images: number },
  ranks: Communicator = ALONE,
): Promise<void> {
  const bad = losses.findIndex((loss) => !Number.isFinite(loss));
  if (bad < 0) return;
  const step = trainer.step - losses.length + bad;
  const { photos, labels, images } = batchOf(step);
  const own = await trainer.findNonFinite(photos, labels, step, images);
  const found = await gatherValues(ranks, own && { layer: own.layer, pass: own.pass });
  const section = found.find((one) => one);
  const where = section ? `first seen in ${section.layer}, ${section.pass} pass` : "first seen in the loss";
  throw new DivergedError(
    `Training stopped: the loss of step ${step + 1} is ${losses[bad]}, ${where}; a lower --lr usually helps`,
  );
}

/** Throws a `DivergedError` for what `Trainer.runChecked` found. */
export function requireFiniteLayers(trainer: Trainer, found: FoundNonFinite | undefined): void {
  if (!found) return;
  const { layer, pass, count, first } = found;
  throw new DivergedError(
    `Training stopped: in step ${trainer.step}, ${pass} pass, ${layer} gave ${
      count === 1 ? "1 value that is" : `${count} values that are`
    } not finite, ` +
      `the first at [${first}]`,
  );
}
