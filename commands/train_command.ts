/**
 * The command line of `deno task train`.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import { PLACE_OPTIONS, RUN_OPTIONS, type RunOptions, runOptions } from "../training/options.ts";
import { flag, givenFlags, UsageError } from "./cli/args.ts";
import { DISTRIBUTED_FLAG } from "./cli/ranks.ts";
import type { Guide } from "./cli/help.ts";
import { flagsOf, openFlagsOf } from "./cli/schema_flags.ts";
import { requireModel, requireSize } from "./cli/size.ts";

const { out, ...places } = flagsOf(PLACE_OPTIONS);

/** What `--help` shows of so many flags: a screen. */
const GUIDE: Guide = {
  examples: [
    ["deno task train", "learns drawn shapes: whether all is in order here"],
    ["deno task train --data photos", "a folder for each class; all else is chosen for you"],
    ["deno task train --resume runs/NAME", "goes on where that run was stopped"],
  ],
  usual: {
    data: "folder of photos: a folder for each class, or one for each split",
    out: "folder of the run (default: a new one under runs/)",
    model: "architecture (default: by the recipe; docs/recipe.md)",
    size: "height and width of the input",
    epochs: "passes over the training images",
    batchSize: "images in a batch (default 32)",
    lr: "highest learning rate; deno task lr-find finds one",
    weights: "start from trained weights",
    resume: "go on with a run",
    seed: "decides every random number (default 1)",
    dryRun: "make the first step alone: would it run?",
  },
  groups: {
    "Photos": ["classes", "sampling", "classWeights", "softLabels", "workers", "cache", "resident"],
    "Network": ["recipe", "startSize", "startShare", "freeze", "unfreeze", "lrScale"],
    "Length": ["steps", "patience", "accumulate"],
    "Optimiser": [
      ...["optimizer", "momentum", "nesterov", "betas", "eps", "alpha", "weightDecay", "weightDecayOn"],
      ...["clipNorm", "ema"],
    ],
    "Schedule": ["schedule", "warmup", "pctStart", "finalLr"],
    "Augmentation": [
      ...[
        "augment",
        "hflip",
        "cropScale",
        "cropRatio",
        "brightness",
        "contrast",
        "saturation",
        "randomErase",
      ],
      ...["mixup", "cutmix", "mixProb", "mixSwitchProb", "labelSmoothing"],
    ],
    "Several ranks": ["distributed", "microBatches", "fastReduce"],
    "Distillation": ["distill", "distillTemperature", "distillWeight"],
    "Checking": ["folds", "fold", "falseRefusals", "overfitBatch", "checkNumerics"],
    "Output": ["topK", "report", "json", "saveEvery"],
    "Device": ["backend"],
  },
};

/** A flag for each option of a run, for where it goes, and for what this command alone knows. */
export const TRAIN_COMMAND = {
  name: "deno task train",
  summary: "Trains a network on a folder of photos, or on procedurally drawn shapes, on any WebGPU adapter.",
  usesGpu: true,
  flags: {
    ...openFlagsOf(RUN_OPTIONS),
    out,
    resume: flag.path({
      help: "go on with a run that was stopped, with its own options; --epochs or --steps may lengthen it; " +
        "of a folder of runs, the newest",
      value: "RUN",
    }),
    ...places,
    distributed: DISTRIBUTED_FLAG,
    dryRun: flag.boolean({ help: "make the first step alone and keep nothing: whether the run would start" }),
    report: flag.boolean({
      help: "write report.html and pictures into the run's folder at its end",
      default: true,
    }),
    json: flag.boolean({ help: "print one JSON object a line" }),
  },
  guide: GUIDE,
  hints: { name: "a run is called as its folder is, --out runs/NAME" },
};

/** Throws a `UsageError` where a run is given two lengths. */
export function requireOneLength(args: readonly string[]): void {
  const given = givenFlags(args, TRAIN_COMMAND);
  if (!given.has("epochs") || !given.has("steps")) return;
  throw new UsageError("--epochs cannot stand beside --steps: both say how long the run is");
}

/** `runOptions` of what flags say, also whether the model can be built: what is wrong with them is a `UsageError`. */
export function optionsOfFlags(given: Parameters<typeof runOptions>[0]): RunOptions {
  try {
    const options = runOptions(given);
    requireModel(options.model);
    requireSize(options.size, [options.model]);
    return options;
  } catch (error) {
    if (error instanceof UserError) throw new UsageError(error.message);
    throw error;
  }
}

/** Throws a `UsageError` for a flag beside --resume that the run's own options would contradict. */
export function requireResumable(args: readonly string[]): void {
  for (const [key, name] of givenFlags(args, TRAIN_COMMAND)) {
    if (key === "dryRun") throw new UsageError(`${name} cannot stand beside --resume: the run has begun`);
    const lengthens = key === "epochs" || key === "steps";
    if (lengthens || !(key in RUN_OPTIONS || key === "out")) continue;
    throw new UsageError(
      `${name} cannot stand beside --resume: the run keeps the options it was started with`,
    );
  }
}
