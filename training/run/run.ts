/**
 * What a run works on, and what it trains with: from its start, or from where it was stopped.
 * @module
 */
import type { Communicator } from "../../distributed/communicator.ts";
import { count } from "../../engine/text.ts";
import type { ModelCard, TrainingRecord } from "../../model/checkpoint/card.ts";
import type { Network } from "../../model/network.ts";
import { balancedWeights, mostPixels, type PhotoSource } from "../photos/photos.ts";
import { type Progress, resumedIn } from "./progress.ts";
import type { Reporter } from "./events.ts";
import type { RunFolder } from "./run_folder.ts";
import { lengthenedText } from "../options/schedule.ts";
import type { SeenBefore } from "./seen_before.ts";
import { runLength, type SettledOptions } from "../options/settle.ts";
import { networkOfSize } from "./stages.ts";
import { loadState, resumedText, type RunSaver, type Trained } from "./state.ts";
import { type Teacher, Trainer, type TrainerOptions } from "../step/trainer.ts";

/** What a run works on and how it is carried out. */
export interface Run {
  /** Trained in place. */
  readonly network: Network;
  /** The photos of each split. */
  readonly data: { readonly train: PhotoSource; readonly valid: PhotoSource; readonly test: PhotoSource };
  /** Everything that decides the result. */
  readonly options: SettledOptions;
  /** What its checkpoints say about themselves. */
  readonly card: Omit<ModelCard, "training">;
  /** Where its files go. */
  readonly folder: RunFolder;
  /** A network that is learnt from, too. */
  readonly teacher?: Teacher | undefined;
  /** Receives what happens. */
  readonly report: Reporter;
  /** Stops after the current step and keeps the state. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on from the state in the folder. */
  readonly resume?: boolean | undefined;
  /** Steps after which the state is saved, besides the end of every epoch. */
  readonly saveEvery?: number | undefined;
  /** Who computes it; default: this process alone. */
  readonly ranks?: Communicator | undefined;
  /** Held-out photos that the weights it started from were trained on. */
  readonly seen?: SeenBefore | undefined;
}

/** What of a run its trainer depends on. */
export type TrainerRun = Pick<Run, "network" | "options" | "teacher" | "ranks"> & {
  readonly data: Pick<Run["data"], "train">;
  readonly card: Pick<Run["card"], "preprocess" | "classes">;
};

/** A trainer for inputs of that size that goes on from `progress`. */
export async function trainerOf(
  run: TrainerRun,
  { optimizer, average }: Pick<Trained, "optimizer" | "average">,
  progress: Progress,
  size: number,
): Promise<Trainer> {
  const { network, data: { train }, options, card, teacher, ranks } = run;
  const { batchSize: batch, classWeights } = options;
  const trainerOptions: TrainerOptions = {
    ...options,
    batch,
    average,
    teacher,
    softLabels: train.entries.some(({ soft }) => soft !== undefined),
    ranks,
    mix: options,
    step: progress.step,
    sums: progress.open,
    capacity: batch * mostPixels(train),
    preprocess: { ...card.preprocess, height: size, width: size },
    classWeights: classWeights === "balanced"
      ? balancedWeights(train, card.classes.length)
      : card.classes.map(() => 1),
  };
  return await Trainer.create(networkOfSize(network, size), optimizer, trainerOptions);
}

/** What a checkpoint says about how it was trained. */
export function recipeOf(options: SettledOptions): TrainingRecord {
  const { optimizer, lr, weightDecay, schedule, warmup, batchSize, accumulate, microBatches } = options;
  return {
    ...{ optimizer, lr, weightDecay, schedule, warmup, batchSize, accumulate },
    ...microBatches !== undefined && { microBatches },
  };
}

/** Reads the state of a run that is continued and takes out of its files what will be done again. */
export async function resumeProgress(
  { network, data, options, folder, report }: Run,
  saver: RunSaver,
): Promise<Progress> {
  const { perEpoch, steps } = runLength(options, data.train.entries.length);
  let progress = await loadState(folder.file("last.state.safetensors"), saver.trained);
  // From here on the state is known to be whole, so files of the run may be changed.
  const before = await folder.lengthen(options, progress.step, steps);
  if (progress.step < steps) {
    progress = resumedIn(progress, perEpoch);
    await folder.rewindLog(progress.epoch);
  }
  const note = (text: string) => report({ event: "note", text });
  report({ event: "resumed", step: progress.step });
  note(resumedText(progress, network.gpu));
  if (progress.step >= steps) {
    note(
      `Finished  after all of its ${count(steps, "step")}: nothing is trained; ` +
        `a larger --epochs (it had ${options.epochs}) or --steps lengthens it`,
    );
  }
  if (before) {
    const { steps: old } = runLength(
      { ...options, steps: before.steps, epochs: before.epochs ?? options.epochs },
      data.train.entries.length,
    );
    const text = lengthenedText(options, old, steps, progress.step);
    if (text !== undefined) note(text);
  }
  return progress;
}
