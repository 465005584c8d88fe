/**
 * What a run chooses by itself, once it knows its photos: how many go into a batch, how long it is, and the rates that suit its optimiser.
 * @module
 */
import { trainingBatchCount } from "../../data/dataset/batches.ts";
import { count } from "../../engine/text.ts";
import { OPTIMIZER_DEFAULTS } from "../step/optimizer.ts";
import type { RunOptions } from "./options.ts";
import { recipeEpochs } from "./recipe.ts";
import { defaultWarmup } from "./schedule.ts";

/** The options that a run may be told or chooses by itself. */
export type OpenOption = "batchSize" | "epochs" | "lr" | "weightDecay" | "warmup";

/** Everything that decides a run's result, nothing left open: what `config.json` records. */
export type SettledOptions =
  & Omit<RunOptions, OpenOption>
  & { readonly [K in OpenOption]: number }
  & {
    /** The run is of a version that left the end of an epoch out where it was no whole step. */
    readonly wholeStepsOnly?: boolean | undefined;
  };

/** A value that a run chose by itself. */
export interface Choice {
  /** The option's name. */
  readonly option: OpenOption;
  /** What it is. */
  readonly value: number;
  /** Value and reason for people. */
  readonly text: string;
}

/** What a run is like. */
export interface Settled {
  /** Its options. */
  readonly options: SettledOptions;
  /** Steps of an epoch, steps and epochs of the run. */
  readonly length: RunLength;
  /** What it was not told. */
  readonly chosen: readonly Choice[];
  /** What it was told and does not do, or will be sorry for, a line each. */
  readonly notes: readonly string[];
}

/** How long a run is. */
export interface RunLength {
  /** Steps of an epoch. */
  readonly perEpoch: number;
  /** Steps of the run. */
  readonly steps: number;
  /** Its epochs; the last one may be cut off. */
  readonly epochs: number;
}

/** Images of a batch where nothing is given and there are as many. */
export const BATCH = 32;

/** Epochs where neither epochs nor steps are given. */
const EPOCHS = { photos: 30, shapes: 12, batch: 100 };

/**
 * Settles the options of a run for that many training photos, at least one. Neither a batch nor a step takes more than there are. Settled
 * options stay as they are, so a run that goes on is the one that began.
 */
export function settle(given: RunOptions & Pick<SettledOptions, "wholeStepsOnly">, photos: number): Settled {
  const wanted = given.batchSize ?? BATCH, batchSize = Math.min(wanted, photos);
  const accumulate = Math.min(given.accumulate, Math.floor(photos / batchSize));
  const epochs = given.epochs ?? usualEpochs(given, photos);
  const microBatches = given.microBatches === undefined
    ? undefined
    : Math.min(given.microBatches, Math.floor(photos / (batchSize * accumulate)));
  const length = runLength({ ...given, batchSize, accumulate, microBatches, epochs }, photos);
  const { schedule, optimizer } = given, own = OPTIMIZER_DEFAULTS[optimizer];
  const { warmup, why } = defaultWarmup(schedule, length.steps, given.pctStart);
  const options: SettledOptions = {
    ...given,
    batchSize,
    accumulate,
    microBatches,
    epochs: length.epochs,
    lr: given.lr ?? own.lr,
    weightDecay: given.weightDecay ?? own.weightDecay,
    warmup: given.warmup ?? warmup,
    // It has become a number of steps, which a run that is lengthened keeps.
    pctStart: undefined,
  };
  const texts: Record<OpenOption, string> = {
    lr: `learning rate ${options.lr} (for ${optimizer})`,
    weightDecay: `weight decay ${options.weightDecay} (for ${optimizer})`,
    warmup: warmup === 0 ? "no warm-up (the run is too short)" : `warm-up ${count(warmup, "step")} (${why})`,
    batchSize: `batch ${batchSize} (${batchSize < BATCH ? "all training photos" : "the default"})`,
    epochs: `${count(epochs, "epoch")} (for ${whatFor(given, photos)})`,
  };
  const chosen = (Object.keys(texts) as OpenOption[])
    .filter((option) => given[option] === undefined && !(option === "epochs" && given.steps !== undefined))
    .map((option) => ({ option, value: options[option], text: texts[option] }));
  const notes: string[] = [];
  if (options.lr === 0) notes.push("Warning   the learning rate is 0: nothing is learnt");
  const wantedBatches = batchesOfStep(given), batches = batchesOfStep(options);
  if (batches < wantedBatches || (given.batchSize !== undefined && batchSize < wanted)) {
    notes.push(
      `Batch     ${batchText(batchSize, batches)} instead of ${sizeText(wanted, wantedBatches)}: ` +
        `there ${photos === 1 ? "is" : "are"} ${count(photos, "training photo")}`,
    );
  }
  if (given.warmup !== undefined && given.warmup > 0 && given.warmup >= length.steps) {
    notes.push(
      `Warning   the warm-up of ${
        count(given.warmup, "step")
      } is not shorter than the run of ${length.steps}: ` +
        "the learning rate only rises",
    );
  }
  return { options, length, chosen, notes };
}

function whatFor({ recipe, data, overfitBatch }: RunOptions, photos: number): string {
  if (overfitBatch) return "one batch";
  return recipe === "photos" ? count(photos, "photo") : data === undefined ? "the shapes" : "photos";
}

function usualEpochs({ recipe, data, overfitBatch }: RunOptions, photos: number): number {
  if (overfitBatch) return EPOCHS.batch;
  if (recipe === "photos") return recipeEpochs(photos);
  return data === undefined ? EPOCHS.shapes : EPOCHS.photos;
}

const sizeText = (batch: number, times: number) => times > 1 ? `${times} x ${batch}` : `${batch}`;
const batchText = (batch: number, times: number) =>
  `${sizeText(batch, times)} ${batch * times === 1 ? "image" : "images"}`;

/** Batches of a step, but for an epoch's last one, which may have fewer. */
export function batchesOfStep(
  { accumulate, microBatches = 1 }: Pick<SettledOptions, "accumulate" | "microBatches">,
): number {
  return accumulate * microBatches;
}

/** How many steps and epochs the options mean for that many training photos, and how many steps an epoch has. */
export function runLength(
  options: Pick<
    SettledOptions,
    "batchSize" | "accumulate" | "microBatches" | "epochs" | "steps" | "wholeStepsOnly"
  >,
  photos: number,
): RunLength {
  const { batchSize, wholeStepsOnly } = options, batches = batchesOfStep(options);
  const perEpoch = wholeStepsOnly
    ? Math.floor(photos / (batchSize * batches))
    : Math.ceil(trainingBatchCount(photos, batchSize) / batches);
  const steps = options.steps ?? options.epochs * perEpoch;
  return { perEpoch, steps, epochs: Math.ceil(steps / perEpoch) };
}
