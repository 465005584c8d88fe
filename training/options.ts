/**
 * The options of a training run, as `config.json` records them.
 * @module
 */
import { z } from "zod";
import { AUGMENT_LEVELS } from "../data/augment.ts";
import { OPTIMIZERS } from "./optimizer.ts";
import { SCHEDULES } from "./schedule.ts";

/** How classes weigh in the loss: all alike, or so that each has the same share of it. */
export const CLASS_WEIGHTS = ["equal", "balanced"] as const;

const natural = z.int().nonnegative();
const positive = z.int().positive();

/** Everything that decides a run's result; two runs with equal options on one adapter end bitwise equal. */
export const runOptionsSchema = z.object({
  /** Folder of photos; absent: the procedural shapes. */
  data: z.string().optional(),
  /** Classes and their order; absent: all, sorted. */
  classes: z.array(z.string()).readonly().optional(),
  model: z.string(),
  /** Height and width of the input. */
  size: positive,
  /** Passes over the training split; ignored if `steps` is given. */
  epochs: positive,
  steps: positive.optional(),
  /** Images in one pass. */
  batchSize: positive,
  /** Batches whose gradients are averaged into one step. */
  accumulate: positive.default(1),
  optimizer: z.enum(OPTIMIZERS),
  lr: z.number().nonnegative(),
  momentum: z.number().optional(),
  nesterov: z.boolean().optional(),
  weightDecay: z.number().optional(),
  schedule: z.enum(SCHEDULES),
  /** Steps of linear warm-up. */
  warmup: natural,
  labelSmoothing: z.number().min(0).max(1),
  classWeights: z.enum(CLASS_WEIGHTS).default("equal"),
  augment: z.enum(AUGMENT_LEVELS),
  seed: natural,
  /** Decay of the moving average of the weights; absent: none is kept. */
  ema: z.number().optional(),
  /** Largest global norm of the gradient; absent: not clipped. */
  clipNorm: z.number().optional(),
  /** File of weights to start from; absent: random. */
  weights: z.string().optional(),
  /** Blocks or layers whose parameters stay as they are. */
  freeze: z.array(z.string()).readonly().optional(),
  /** Look for non-finite values in every layer after every step. */
  checkNumerics: z.boolean(),
});

/** Everything that decides a run's result. */
export type RunOptions = z.infer<typeof runOptionsSchema>;
