/**
 * The flags of `deno task train` and what they mean together.
 * @module
 */
import { flag, type Parsed, UsageError } from "../commands/cli/args.ts";
import { AUGMENT_LEVELS } from "../data/augment.ts";
import { CACHE_FOLDER } from "../data/dataset/cache.ts";
import { ARCHITECTURES } from "../model/architectures/registry.ts";
import { OPTIMIZERS } from "./optimizer.ts";
import { CLASS_WEIGHTS, type RunOptions } from "./options.ts";
import { RESIDENT } from "./resident_photos.ts";
import { SCHEDULES } from "./schedule.ts";

/** The command line of `deno task train`. */
export const TRAIN_COMMAND = {
  name: "deno task train",
  summary: "Trains a network on a folder of photos, or on procedurally drawn shapes, on any WebGPU adapter.",
  flags: {
    data: flag.string({
      help: "folder of photos; without it, shapes are drawn into a cache folder",
      value: "DIR",
    }),
    classes: flag.list({
      help: "class names and their order (default: all, sorted)",
      separator: ",",
      value: "A,B",
    }),
    model: flag.string({
      help: `architecture: ${Object.keys(ARCHITECTURES).join(", ")}`,
      default: "compact",
    }),
    size: flag.int({ help: "height and width of the input", default: 224, min: 15, max: 4096 }),
    epochs: flag.int({ help: "passes over the training images (default: 30; 12 for the shapes)", min: 1 }),
    steps: flag.int({ help: "batches, instead of --epochs", min: 1 }),
    batchSize: flag.int({ help: "images in a batch", default: 32, min: 1, max: 4096 }),
    accumulate: flag.int({
      help: "batches whose gradients are averaged into one step",
      default: 1,
      min: 1,
      max: 65_536,
    }),
    lr: flag.float({ help: "highest learning rate", default: 0.02, min: 0 }),
    optimizer: flag.choice(OPTIMIZERS, { help: "update rule", default: "sgd" }),
    momentum: flag.float({ help: "momentum of sgd (default 0.9) and rmsprop (default 0)", min: 0, max: 1 }),
    nesterov: flag.boolean({ help: "Nesterov's look-ahead for sgd" }),
    clipNorm: flag.float({ help: "largest global norm of the gradient (default: not clipped)", min: 1e-6 }),
    ema: flag.float({
      help: "validate and keep a moving average of the weights with this decay, such as 0.999",
      min: 0,
      max: 0.999999,
    }),
    weights: flag.string({ help: "safetensors file with weights to start from", value: "FILE" }),
    freeze: flag.list({
      help: "blocks that are not trained, such as features",
      separator: ",",
      value: "A,B",
    }),
    checkNumerics: flag.boolean({
      help: "name the first layer whose output is not finite, at every step (slow)",
    }),
    weightDecay: flag.float({ help: "L2 penalty", default: 5e-4, min: 0 }),
    schedule: flag.choice(SCHEDULES, { help: "learning rate over the run", default: "cosine" }),
    warmup: flag.int({ help: "steps of linear warm-up", default: 50, min: 0 }),
    labelSmoothing: flag.float({
      help: "share of the target spread over all classes",
      default: 0,
      min: 0,
      max: 0.99,
    }),
    classWeights: flag.choice(CLASS_WEIGHTS, {
      help: "how classes weigh in the loss; balanced: each with the same share",
      default: "equal",
    }),
    augment: flag.choice(AUGMENT_LEVELS, { help: "how much training photos are varied", default: "light" }),
    seed: flag.int({ help: "decides every random number", default: 1, min: 0, max: 2 ** 32 - 1 }),
    out: flag.string({ help: "folder of the run (default: a new one under runs/)", value: "DIR" }),
    resume: flag.string({
      help: "go on with a run that was stopped, with its own options; --epochs or --steps may lengthen it",
      value: "RUN",
    }),
    saveEvery: flag.int({
      help: "steps after which the state for --resume is saved, besides every epoch's end",
      min: 1,
    }),
    resident: flag.choice(RESIDENT, {
      help: "keep all photos in device memory; auto: on a GPU, up to 2 GiB",
      default: "auto",
    }),
    workers: flag.int({ help: "processes that decode photos (default: one per core)", min: 1, max: 64 }),
    cache: flag.string({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    json: flag.boolean({ help: "print one JSON object a line" }),
  },
} as const;

/** The parsed flags. */
export type TrainFlags = Parsed<typeof TRAIN_COMMAND["flags"]>;

/** Epochs where neither --epochs nor --steps is given. */
const DEFAULT_EPOCHS = { photos: 30, shapes: 12 };

/** The options of the run that the flags describe. */
export function runOptions(flags: TrainFlags): RunOptions {
  const { data, classes, steps, epochs } = flags;
  const { model, size, batchSize, lr, optimizer, momentum, weightDecay, schedule, warmup } = flags;
  const { labelSmoothing, augment, seed, nesterov, clipNorm, weights, freeze, checkNumerics } = flags;
  const { accumulate, ema, classWeights } = flags;
  return {
    data,
    classes,
    steps,
    epochs: epochs ?? (data === undefined ? DEFAULT_EPOCHS.shapes : DEFAULT_EPOCHS.photos),
    ...{ model, size, batchSize, lr, optimizer, momentum, weightDecay, schedule, warmup },
    ...{ labelSmoothing, augment, seed, nesterov, clipNorm, weights, freeze, checkNumerics },
    ...{ accumulate, ema, classWeights },
  };
}

/** Flags that may stand beside --resume, because they leave what was trained as it is. */
const BESIDE_RESUME = new Set([
  ...["resume", "epochs", "steps", "save-every", "resident", "workers", "cache", "json"],
]);

/** Throws a `UsageError` for a flag beside --resume that the run's own options would contradict. */
export function requireResumable(args: readonly string[]): void {
  for (const arg of args) {
    const name = /^--(?:no-)?([^=]+)/.exec(arg)?.[1];
    if (name === undefined || BESIDE_RESUME.has(name)) continue;
    throw new UsageError(
      `--${name} cannot stand beside --resume: the run keeps the options it was started with`,
    );
  }
}
