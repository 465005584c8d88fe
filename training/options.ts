/**
 * The options of a training run, as `config.json` records them.
 * @module
 */
import type { AugmentLevel } from "../data/augment.ts";
import type { OptimizerOptions } from "./optimizer.ts";
import type { ScheduleName } from "./schedule.ts";

/** Everything that decides a run's result; two runs with equal options on one adapter end bitwise equal. */
export interface RunOptions extends OptimizerOptions {
  /** Folder of photos; undefined: the procedural shapes. */
  readonly data: string | undefined;
  /** Classes and their order; undefined: all, sorted. */
  readonly classes: readonly string[] | undefined;
  readonly model: string;
  /** Height and width of the input. */
  readonly size: number;
  /** Passes over the training split; ignored if `steps` is given. */
  readonly epochs: number;
  readonly steps: number | undefined;
  readonly batchSize: number;
  readonly lr: number;
  readonly schedule: ScheduleName;
  /** Steps of linear warm-up. */
  readonly warmup: number;
  readonly labelSmoothing: number;
  readonly augment: AugmentLevel;
  readonly seed: number;
  /** Largest global norm of the gradient; undefined: not clipped. */
  readonly clipNorm: number | undefined;
  /** File of weights to start from; undefined: random. */
  readonly weights: string | undefined;
  /** Blocks or layers whose parameters stay as they are. */
  readonly freeze: readonly string[] | undefined;
  /** Look for non-finite values in every layer after every step. */
  readonly checkNumerics: boolean;
}
