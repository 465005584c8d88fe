/**
 * What a run works on and how it is steered.
 * @module
 */
import { trainingBatchCount } from "../data/dataset/sampler.ts";
import type { Reporter } from "./events.ts";
import type { RunOptions } from "./options.ts";
import type { PhotoSource } from "./photo_source.ts";
import type { RunFolder } from "./run_folder.ts";

/** The photos of each split. */
export interface RunData {
  readonly train: PhotoSource;
  readonly valid: PhotoSource;
  readonly test: PhotoSource;
}

/** How a run is carried out; none of it changes the result. */
export interface RunControl {
  readonly folder: RunFolder;
  readonly report: Reporter;
  /** Stops after the current step and keeps the state. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the state in the folder. */
  readonly resume?: boolean | undefined;
  /** Steps after which the state is saved, besides the end of every epoch. */
  readonly saveEvery?: number | undefined;
}

/** How many steps and epochs the options mean for that many training photos. */
export function runLength(
  options: RunOptions,
  photos: number,
): { perEpoch: number; steps: number; epochs: number } {
  const perEpoch = trainingBatchCount(photos, options.batchSize * options.accumulate);
  const steps = options.steps ?? options.epochs * perEpoch;
  return { perEpoch, steps, epochs: Math.ceil(steps / perEpoch) };
}
