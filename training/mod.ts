/**
 * Training: the trainer and its optimisers, schedules, evaluation, and whole runs as `deno task train` does them.
 * @module
 */
export type { Pace } from "../engine/kernels/optimizer/optimizer.ts";
export { ALONE, type Communicator } from "../distributed/communicator.ts";
export type { Span } from "../distributed/tree.ts";
export type { StepShareOptions } from "./step/step_share.ts";
export { type BatchMix, batchMix, type MixOptions } from "./step/mixing.ts";
export type { Box, MixPair } from "../engine/kernels/mix/mix.ts";
export { WeightAverage } from "./step/average.ts";
export { type ClassFigures, evaluate, type Evaluation, evaluationOf } from "./evaluation/evaluate.ts";
export type { FoundNonFinite } from "./step/numeric_checks.ts";
export {
  createOptimizer,
  type DecayOn,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  OPTIMIZERS,
} from "./step/optimizer.ts";
export {
  type ClassWeights,
  type GivenOptions,
  PLACE_OPTIONS,
  type PlaceOptions,
  RUN_OPTIONS,
  type RunOptions,
  runOptions,
} from "./options/options.ts";
export { AUGMENTATION_OPTIONS, type Sampling } from "./options/augmentation_options.ts";
export type { RecipeName } from "./options/recipe.ts";
export type { Option, OptionValues } from "./options/option.ts";
export type { Choice, OpenOption } from "./options/settle.ts";
export { openPhotos, type PhotoOptions, type Resident } from "./photos/photo_source.ts";
export {
  balancedWeights,
  evaluationPhotos,
  labelsOf,
  mostPixels,
  type PhotoSource,
  type PhotoVariation,
  trainingPhotos,
} from "./photos/photos.ts";
export {
  eachPrediction,
  logitsOf,
  type Prediction,
  type PredictionOptions,
  type Predictions,
  predictPhotos,
} from "./evaluation/predictions.ts";
export { calibrate, fitTemperature } from "./evaluation/calibration.ts";
export { calibrationError, type Confidence, confidenceOf, crossEntropy } from "./evaluation/confidence.ts";
export { chooseTrust, type Trust, type TrustOptions } from "./evaluation/trust.ts";
export { DivergedError } from "./run/progress.ts";
export type { FoldFigures, Reporter, RunEvent } from "./run/events.ts";
export { jsonReporter, textReporter } from "./run/reporter.ts";
export { learningRate, type ScheduleName, type ScheduleOptions, SCHEDULES } from "./options/schedule.ts";
export type { LossParts, LossSums } from "./step/loss_sums.ts";
export type { Metrics } from "./step/loss_meter.ts";
export { type Teacher, Trainer, type TrainerOptions } from "./step/trainer.ts";
export { resumeTraining, train } from "./train.ts";
export { freezeBlocks, type HeadClasses, loadWeights, type TransferReport } from "./run/transfer.ts";
export type { ArenaTensors, Network, ParameterStore, Pixels, PlacedPhoto, Section } from "../model/mod.ts";
export type { AugmentLevel, PhotoStore, Preprocess, Sample } from "../data/mod.ts";
export type { NonFinite } from "../engine/kernels/check_finite/check_finite.ts";
export type { Gpu, Plan, Tensor } from "../engine/mod.ts";
