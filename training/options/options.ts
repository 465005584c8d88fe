/**
 * The options of a training run. Each is named here once: a field of `config.json`, whose `meta` tells people what it means, and from
 * which the command line makes a flag.
 * @module
 */
import { z } from "zod";
import { CACHE_FOLDER } from "../../data/dataset/cache.ts";
import { UserError } from "../../engine/errors.ts";
import { ARCHITECTURES, smallestSizes } from "../../model/architectures/registry.ts";
import { AUGMENTATION_OPTIONS, UNVARIED } from "./augmentation_options.ts";
import { type Option, type OptionValues, part } from "./option.ts";
import {
  DECAY_ON,
  type DecayOn,
  OPTIMIZER_DEFAULTS,
  type OptimizerName,
  OPTIMIZERS,
} from "../step/optimizer.ts";
import { RESIDENT, type Resident } from "../photos/photo_source.ts";
import { type RecipeName, RECIPES, recipeText, shapesText, withRecipe } from "./recipe.ts";
import { type ScheduleName, SCHEDULES } from "./schedule.ts";

/** How classes weigh in the loss: all alike, or so that each has the same share of it. */
export type ClassWeights = "equal" | "balanced";

const CLASS_WEIGHTS = ["equal", "balanced"] as const satisfies readonly ClassWeights[];

const names = z.array(z.string()).readonly().optional();
/** What the optimisers have by default, for a help text. */
const byOptimizer = (key: "lr" | "weightDecay") =>
  OPTIMIZERS.map((name) => `${name} ${OPTIMIZER_DEFAULTS[name][key]}`).join(", ");

/** A share that would be useless at 1. */
const share = z.number().min(0).max(0.999999).optional();

/**
 * Everything that decides a run's result; two runs with equal options on one adapter end bitwise equal. The fields of `config.json`. To
 * add an option, add it here and read it where it acts: `RunOptions` carries it there.
 */
export const RUN_OPTIONS = {
  /** Folder of photos; absent: the procedural shapes. */
  data: z.string().optional().meta({
    description: "folder of photos; without it, shapes are drawn into a cache folder",
    value: "DIR",
    path: true,
  }) as Option<string | undefined>,
  /** Classes and their order; absent: all, sorted. */
  classes: names.meta({
    description: "class names and their order (default: all, sorted)",
    value: "A,B",
  }) as Option<readonly string[] | undefined>,
  /** What stands in for options that are not given. */
  recipe: z.enum(RECIPES).default("none").meta({
    description:
      `what stands in for options that are not given; photos, taken with --data and no --model: ${recipeText()}; shapes, taken without both: ${shapesText()}`,
    shown: false,
  }) as Option<RecipeName>,
  /** Name of the architecture. */
  model: z.string().default("compact").meta({
    description: `architecture: ${
      Object.keys(ARCHITECTURES).join(", ")
    } (default: as --recipe says, or compact)`,
    shown: false,
  }) as Option<string>,
  /** Height and width of the input in pixels. */
  size: z.int().min(1).max(4096).default(224).meta({
    description: `height and width of the input, at least ${smallestSizes()}`,
  }) as Option<number>,
  /** Height and width of the training input at first; absent: `size` from the start. */
  startSize: z.int().min(1).max(4096).optional().meta({
    description: "progressive resizing: height and width of the training input at first (default: --size)",
  }) as Option<number | undefined>,
  /** Share of the epochs that have `startSize`. */
  startShare: z.number().min(0).max(1).default(0.5).meta({
    description: "share of the epochs that have --start-size",
  }) as Option<number>,
  /** Passes over the training split; ignored if `steps` is given. */
  epochs: z.int().min(1).optional().meta({
    description: "passes over the training images (default: 30; 12 for the shapes; by recipe, 30 to 200)",
  }) as Option<number | undefined>,
  /** Steps of the whole run. */
  steps: z.int().min(1).optional().meta({
    description:
      "optimiser steps, instead of --epochs; with --accumulate or --micro-batches each takes several batches",
  }) as Option<
    number | undefined
  >,
  /** Images in one pass. */
  batchSize: z.int().min(1).max(4096).optional().meta({
    description: "images in a batch, at most all training images (default: 32)",
  }) as Option<number | undefined>,
  /** Batches whose gradients are averaged into one step. */
  accumulate: z.int().min(1).max(65_536).default(1).meta({
    description: "batches whose gradients are averaged into one step",
  }) as Option<number>,
  /** Parts of a step whose gradients are added up in a tree; absent: one, or one for each rank. */
  microBatches: z.int().min(1).max(65_536).optional().meta({
    description:
      "parts of a step whose gradients are added up in a fixed tree, so that any number of ranks up to it computes the same bits; " +
      "each takes a batch, or --accumulate of them (default: 1, or one for each rank)",
  }) as Option<number | undefined>,
  /** Let MPI add up gradients in its own order. */
  fastReduce: z.boolean().default(false).meta({
    description: "with --distributed: MPI's own all-reduce, whose sums depend on the number of ranks",
  }) as Option<boolean>,
  /** Highest learning rate; absent: the optimiser's own. */
  lr: z.number().min(0).optional().meta({
    description: `highest learning rate (default: by optimiser: ${byOptimizer("lr")})`,
  }) as Option<number | undefined>,
  /** Update rule. */
  optimizer: z.enum(OPTIMIZERS).default("sgd").meta({ description: "update rule" }) as Option<OptimizerName>,
  /** Of sgd and rmsprop; absent: the optimiser's own. */
  momentum: z.number().min(0).max(1).optional().meta({
    description: "momentum of sgd (default 0.9) and rmsprop (default 0)",
  }) as Option<number | undefined>,
  /** Of sgd. */
  nesterov: z.boolean().default(false).meta({
    description: "Nesterov's look-ahead for sgd",
  }) as Option<boolean>,
  /** Decay of the running means of the gradient and its square; absent: the optimiser's own. */
  betas: z.tuple([share.unwrap(), share.unwrap()]).readonly().optional().meta({
    description: "decay of adam's and adamw's two running means (default 0.9,0.999)",
    value: "B1,B2",
  }) as Option<readonly [number, number] | undefined>,
  /** Added to a denominator; absent: the optimiser's own. */
  eps: z.number().min(1e-30).max(1).optional().meta({
    description: "added to the denominator of adam, adamw and rmsprop (default 1e-8) and adagrad (1e-10)",
  }) as Option<number | undefined>,
  /** Decay of rmsprop's running mean of the squared gradient; absent: the optimiser's own. */
  alpha: share.meta({
    description: "decay of rmsprop's running mean of the squared gradient (default 0.99)",
  }) as Option<number | undefined>,
  /** Largest global norm of the gradient; absent: not clipped. */
  clipNorm: z.number().min(1e-6).optional().meta({
    description: "largest global norm of the gradient (default: not clipped)",
  }) as Option<number | undefined>,
  /** Decay of the moving average of the weights; absent: none is kept. */
  ema: share.meta({
    description: "validate and keep a moving average of the weights with this decay, such as 0.999",
  }) as Option<number | undefined>,
  /** File of weights to start from; absent: random. */
  weights: z.string().optional().meta({
    description: "safetensors file with weights to start from, or a run's folder: its best",
    value: "PATH",
    path: true,
  }) as Option<string | undefined>,
  /** Blocks or layers whose parameters stay as they are. */
  freeze: names.meta({
    description: "blocks that are not trained, such as features",
    value: "A,B",
  }) as Option<readonly string[] | undefined>,
  /** Factors on the learning rate of blocks. */
  lrScale: names.meta({
    description: "discriminative rates: factors on the learning rate of blocks, such as features=0.1",
    value: "BLOCK=X,BLOCK=X",
  }) as Option<readonly string[] | undefined>,
  /** Epochs after which blocks are trained. */
  unfreeze: names.meta({
    description: "gradual unfreezing: epochs after which blocks are trained, such as features=5",
    value: "BLOCK=N,BLOCK=N",
  }) as Option<readonly string[] | undefined>,
  /** Learn one batch by heart. */
  overfitBatch: z.boolean().default(false).meta({
    description:
      "train on one batch alone, neither varied nor mixed, and keep nothing: whether the network can learn it by heart",
  }) as Option<boolean>,
  /** Look for non-finite values in every layer after every step. */
  checkNumerics: z.boolean().default(false).meta({
    description: "name the first layer whose output is not finite, at every step (slow)",
  }) as Option<boolean>,
  /** L2 penalty; of adamw, what is taken off the weights; absent: the optimiser's own. */
  weightDecay: z.number().min(0).optional().meta({
    description: `L2 penalty, decoupled for adamw (default: by optimiser: ${byOptimizer("weightDecay")})`,
  }) as Option<number | undefined>,
  /** What weight decay is for. */
  weightDecayOn: z.enum(DECAY_ON).default("all").meta({
    description: "what decays: all parameters, or matrices alone: no biases, no scales of normalisations",
  }) as Option<DecayOn>,
  /** Learning rate over the run. */
  schedule: z.enum(SCHEDULES).default("cosine").meta({
    description: "learning rate over the run",
  }) as Option<ScheduleName>,
  /** Steps of linear warm-up; absent: a share of the run. */
  warmup: z.int().min(0).optional().meta({
    description:
      "steps of linear warm-up (default: a tenth of the run, at most 50; one-cycle rises for 30 %)",
  }) as Option<number | undefined>,
  /** Share of the run that warms up. */
  pctStart: z.number().min(0).max(0.9).optional().meta({
    description: "share of the run that warms up, instead of --warmup: pct_start of torch's OneCycleLR",
  }) as Option<number | undefined>,
  /** Share of the highest learning rate that the schedule ends at. */
  finalLr: part.default(0).meta({
    description: "share of the highest learning rate that cosine and one-cycle end at",
  }) as Option<number>,
  /** Epochs without a better validation after which the run ends; absent: it goes to its end. */
  patience: z.int().min(1).optional().meta({
    description: "end the run after that many epochs without a better validation (default: never)",
  }) as Option<number | undefined>,
  /** Table with a probability for each class of a photo; absent: each is of its folder's class. */
  softLabels: z.string().optional().meta({
    description:
      "table with a probability for each class of a photo, instead of its folder's class: file,CLASS,…",
    value: "CSV",
    path: true,
  }) as Option<string | undefined>,
  /** Checkpoint whose predictions are learnt, too. */
  distill: z.string().optional().meta({
    description: "distillation: a checkpoint, or a run's folder, whose predictions are learnt, too",
    value: "TEACHER",
    path: true,
  }) as Option<string | undefined>,
  /** Divides both networks' logits in distillation. */
  distillTemperature: z.number().min(0.01).max(1000).default(4).meta({
    description: "what both networks' logits are divided by for it",
  }) as Option<number>,
  /** The teacher's share of the loss. */
  distillWeight: part.default(0.7).meta({
    description: "the teacher's share of the loss; the labels have the rest",
  }) as Option<number>,
  /** Epochs whose checkpoints are kept beside the best one's. */
  topK: z.int().min(0).max(1000).default(0).meta({
    description: "keep the checkpoints of so many of the best epochs, too: epoch-N.safetensors",
  }) as Option<number>,
  /** Share of the target spread over all classes. */
  labelSmoothing: z.number().min(0).max(0.99).default(0).meta({
    description: "share of the target spread over all classes",
  }) as Option<number>,
  /** How classes weigh in the loss. */
  classWeights: z.enum(CLASS_WEIGHTS).default("equal").meta({
    description: "how classes weigh in the loss; balanced: each with the same share",
  }) as Option<ClassWeights>,
  /** Share of the validation photos that the model may call unknown. */
  falseRefusals: z.number().min(0).max(0.5).default(0.05).meta({
    description:
      "share of the validation photos that may be called unknown, of none of the classes; 0: the model always names a class",
  }) as Option<number>,
  ...AUGMENTATION_OPTIONS,
  /** Parts of the photos in cross-validation; absent: none. */
  folds: z.int().min(2).max(100).optional().meta({
    description:
      "cross-validation: so many runs, each validated on another part of the training and validation photos",
  }) as Option<number | undefined>,
  /** The part that this run is validated on, counted from 1. */
  fold: z.int().min(1).max(100).optional().meta({
    description: "the one of these runs that is wanted (default: all, one after the other)",
  }) as Option<number | undefined>,
  /** Decides every random number. */
  seed: z.int().min(0).max(2 ** 32 - 1).default(1).meta({
    description: "decides every random number",
  }) as Option<number>,
};

/** Where a run's files go and how it is carried out; none of it changes the result, and none is recorded. */
export const PLACE_OPTIONS = {
  /** Folder of the run; absent: a new one under `runs/`. */
  out: z.string().optional().meta({
    description: "folder of the run (default: a new one under runs/)",
    value: "DIR",
    path: true,
  }) as Option<string | undefined>,
  /** Steps after which the state is saved, besides the end of every epoch. */
  saveEvery: z.int().min(1).optional().meta({
    description: "steps after which the state for --resume is saved, besides every epoch's end",
  }) as Option<number | undefined>,
  /** Whether photos are kept in device memory. */
  resident: z.enum(RESIDENT).default("auto").meta({
    description: "keep all photos in device memory; auto: on a GPU, up to 2 GiB",
  }) as Option<Resident>,
  /** Decoding processes; absent: one per core. */
  workers: z.int().min(1).max(64).optional().meta({
    description: "processes that decode photos (default: one per core)",
  }) as Option<number | undefined>,
  /** Folder of the cache of decoded photos; absent: that of the run that goes on, or the usual one. */
  cache: z.string().optional().meta({
    description: `folder for decoded photos (default: ${CACHE_FOLDER}, or the resumed run's)`,
    value: "DIR",
    path: true,
  }) as Option<string | undefined>,
};

/** Where a run's files go and how it is carried out. */
export type PlaceOptions = Partial<OptionValues<typeof PLACE_OPTIONS>> & {
  /** Finds the batch size by measurement, where a new run is given none; what was found is recorded as if it had been given. */
  readonly autoBatch?: boolean;
};

/** Options of a run of which some are left out. */
export type GivenOptions = {
  readonly [K in keyof typeof RUN_OPTIONS]?: OptionValues<typeof RUN_OPTIONS>[K] | undefined;
};

/** What decides a run's result, as far as it was told: what is left out `settle` chooses once the photos are known. */
export type RunOptions = OptionValues<typeof RUN_OPTIONS>;

/** Reads `config.json`, or options of which some are left out. */
export const runOptionsSchema: z.ZodType<RunOptions> = z.object(
  RUN_OPTIONS as unknown as {
    [K in keyof typeof RUN_OPTIONS]: z.ZodType<OptionValues<typeof RUN_OPTIONS>[K]>;
  },
);

/** What would keep a network from learning a batch by heart, left out. */
const PLAIN = { ...UNVARIED, labelSmoothing: 0, startSize: undefined, ema: undefined };

/** Which optimisers read an option; the others would ignore it. */
const READ_BY: Partial<Record<keyof typeof RUN_OPTIONS, readonly OptimizerName[]>> = {
  momentum: ["sgd", "rmsprop"],
  nesterov: ["sgd"],
  betas: ["adam", "adamw"],
  eps: ["adam", "adamw", "rmsprop", "adagrad"],
  alpha: ["rmsprop"],
};

/**
 * The options of a new run, checked, with its recipe and the defaults that need no photos filled in; throws a `UserError` that names the
 * first field that is wrong, or that the optimiser would ignore.
 */
export function runOptions(given: GivenOptions): RunOptions {
  const options = runOptionsSchema.safeParse(withRecipe(given));
  if (options.success) {
    const { optimizer, nesterov, momentum } = options.data;
    for (const [key, readers] of Object.entries(READ_BY)) {
      const value = options.data[key as keyof RunOptions];
      if (value === undefined || value === false || readers.includes(optimizer)) continue;
      throw new UserError(
        `Cannot train: ${optimizer} has no ${key}, only ${readers.join(" and ")} ${
          readers.length > 1 ? "have" : "has"
        } it`,
      );
    }
    if (nesterov && momentum === 0) {
      throw new UserError("Cannot train: nesterov looks ahead along the momentum, and momentum is 0");
    }
    requireSense(options.data);
    return options.data.overfitBatch ? { ...options.data, ...PLAIN } : options.data;
  }
  const { path, message } = options.error.issues[0]!;
  throw new UserError(`Cannot train: ${path.join(".")} is wrong (${message})`);
}

/** Throws a `UserError` for options that contradict one another, or of which one means nothing without another. */
function requireSense(options: RunOptions): void {
  const { warmup, pctStart, cropScale, cropRatio, size, startSize, fold, folds } = options;
  if (fold !== undefined && (folds === undefined || fold > folds)) {
    throw new UserError(
      `Cannot train: fold is ${fold}, ${
        folds === undefined
          ? "and there are no folds to choose from"
          : `wanted 1 to ${folds}, the folds there are`
      }`,
    );
  }
  if (warmup !== undefined && pctStart !== undefined) {
    throw new UserError("Cannot train: warmup and pctStart both say how long the warm-up is");
  }
  if (startSize !== undefined && startSize > size) {
    throw new UserError(`Cannot train: startSize is ${startSize}, wanted at most the size, ${size}`);
  }
  if (cropRatio && !cropScale) {
    throw new UserError("Cannot train: cropRatio is for random resized crops, which cropScale asks for");
  }
  for (const [name, range] of Object.entries({ cropScale, cropRatio })) {
    if (range && range[0] > range[1]) {
      throw new UserError(`Cannot train: ${name} is ${range.join(",")}, wanted the smaller number first`);
    }
  }
}
