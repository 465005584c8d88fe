/**
 * The command line of `deno task train`.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import { DASHBOARD_PORT } from "../report/dashboard.ts";
import {
  type GivenOptions,
  PLACE_OPTIONS,
  RUN_OPTIONS,
  type RunOptions,
  runOptions,
} from "../training/options/options.ts";
import { type Flag, flag, givenFlags, UsageError } from "./cli/args.ts";
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
    batchSize: "images in a batch (default 32); auto finds a fast one",
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
    "Output": ["topK", "report", "dashboard", "tensorboard", "json", "saveEvery"],
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
    batchSize: flag.intOr("auto", {
      help:
        "images in a batch, at most all training images (default: 32); auto: the largest that fits and is about as " +
        "fast as any, by a few steps of each",
      min: 1,
      max: 4096,
    }),
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
    dashboard: dashboardFlag(),
    tensorboard: flag.boolean({ help: "write event files for TensorBoard into the run's folder, too" }),
    json: flag.boolean({ help: "print one JSON object a line" }),
  },
  guide: GUIDE,
  hints: { name: "a run is called as its folder is, --out runs/NAME" },
};

/** A switch that may name a port: `--dashboard`, `--dashboard=8000`. */
function dashboardFlag(): Flag<boolean | number> {
  return {
    ...flag.boolean({
      help: `show the run in browsers while it goes on, at port ${DASHBOARD_PORT} or --dashboard=PORT`,
    }),
    parse: (texts) => {
      const text = texts.at(-1)!;
      if (text === "true" || text === "false") return text === "true";
      const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
      if (!(port <= 65_535)) throw new Error("no value, or a port from 0 to 65535");
      return port;
    },
  };
}

/** Throws a `UsageError` where a run is given two lengths. */
export function requireOneLength(args: readonly string[]): void {
  const given = givenFlags(args, TRAIN_COMMAND);
  if (!given.has("epochs") || !given.has("steps")) return;
  throw new UsageError("--epochs cannot stand beside --steps: both say how long the run is");
}

/** What flags say of a run's options: a batch size that is to be found is none yet. */
export function givenOptions(
  flags: Omit<GivenOptions, "batchSize"> & { readonly batchSize?: number | "auto" | undefined },
): GivenOptions {
  return { ...flags, batchSize: flags.batchSize === "auto" ? undefined : flags.batchSize };
}

/** `runOptions` of what flags say, also whether the model can be built: what is wrong with them is a `UsageError`. */
export function optionsOfFlags(flags: Parameters<typeof givenOptions>[0]): RunOptions {
  try {
    const options = runOptions(givenOptions(flags));
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
