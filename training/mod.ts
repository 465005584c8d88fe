/**
 * Training: the trainer and its optimisers, schedules, evaluation, and whole runs as `deno task train` does them.
 * @module
 */
export type { Pace } from "../engine/kernels/optimizer/optimizer.ts";
export { ALONE, type Communicator } from "../distributed/communicator.ts";
export type { Span } from "../distributed/tree.ts";
export type { StepShareOptions } from "./step_share.ts";
export { type BatchMix, batchMix, type MixOptions } from "./mixing.ts";
export type { Box, MixPair } from "../engine/kernels/mix/mix.ts";
export { WeightAverage } from "./average.ts";
export { type ClassFigures, evaluate, type Evaluation, evaluationOf } from "./evaluate.ts";
export type { FoundNonFinite } from "./numeric_checks.ts";
export {
  createOptimizer,
  type DecayOn,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  OPTIMIZERS,
} from "./optimizer.ts";
export {
  type ClassWeights,
  type GivenOptions,
  PLACE_OPTIONS,
  type PlaceOptions,
  RUN_OPTIONS,
  type RunOptions,
  runOptions,
} from "./options.ts";
export { AUGMENTATION_OPTIONS, type Sampling } from "./augmentation_options.ts";
export type { RecipeName } from "./recipe.ts";
export type { Option, OptionValues } from "./option.ts";
export type { Choice, OpenOption } from "./settle.ts";
export { openPhotos, type PhotoOptions, type Resident } from "./photo_source.ts";
export {
  balancedWeights,
  evaluationPhotos,
  labelsOf,
  mostPixels,
  type PhotoSource,
  type PhotoVariation,
  trainingPhotos,
} from "./photos.ts";
export {
  eachPrediction,
  logitsOf,
  type Prediction,
  type PredictionOptions,
  type Predictions,
  predictPhotos,
} from "./predictions.ts";
export { calibrate, fitTemperature } from "./calibration.ts";
export { calibrationError, type Confidence, confidenceOf, crossEntropy } from "./confidence.ts";
export { chooseTrust, type Trust, type TrustOptions } from "./trust.ts";
export { DivergedError } from "./progress.ts";
export { type FoldFigures, jsonReporter, type Reporter, type RunEvent, textReporter } from "./reporter.ts";
export { learningRate, type ScheduleName, type ScheduleOptions, SCHEDULES } from "./schedule.ts";
export type { LossParts, LossSums } from "./loss_sums.ts";
export type { Metrics } from "./loss_meter.ts";
export { type Teacher, Trainer, type TrainerOptions } from "./trainer.ts";
export { resumeTraining, train } from "./train.ts";
export { freezeBlocks, type HeadClasses, loadWeights, type TransferReport } from "./transfer.ts";
export type { ArenaTensors, Network, ParameterStore, Pixels, PlacedPhoto, Section } from "../model/mod.ts";
export type { AugmentLevel, PhotoStore, Preprocess, Sample } from "../data/mod.ts";
export type { NonFinite } from "../engine/kernels/check_finite/check_finite.ts";
export type { Gpu, Plan, Tensor } from "../engine/mod.ts";
