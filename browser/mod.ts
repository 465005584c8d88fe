/**
 * The engine, networks and training in a page, on the visitor's own GPU. Nothing here reaches for Deno or Node.
 *
 * ```ts
 * import { decodeSide, loadClassifier, readPhoto } from "./mod.ts";
 *
 * const classifier = await loadClassifier(new URL("model.safetensors", location.href));
 * const { classes, preprocess } = classifier.card;
 * const file = await (await fetch("photo.jpg")).blob();
 * const photo = await readPhoto(file, { shorterSide: decodeSide(preprocess) });
 * const [answer] = await classifier.classify([photo]);
 * console.log(classes.map((name, k) => [name, answer!.probabilities[k]]));
 * await classifier.close();
 * ```
 * @module
 */
export {
  type CheckpointSource,
  type ClassifierOptions,
  loadClassifier,
  readCheckpoint,
} from "./classifier.ts";
export { examineBrowser } from "./examine.ts";
export { Gpu } from "./gpu.ts";
export {
  type EpochReport,
  type LabelledPhoto,
  PhotoTraining,
  type PhotoTrainingOptions,
} from "./training.ts";
export { type PageClass, type PhotoInput, readPhoto, type ReadPhotoOptions } from "./photos.ts";

export {
  type Affine,
  AUGMENT_LEVELS,
  type AugmentLevel,
  augmentMap,
  evaluationMap,
} from "../data/augment.ts";
export { evaluationBatches, trainingBatchCount, trainingBatches } from "../data/dataset/batches.ts";
export type { SplitName } from "../data/dataset/listing.ts";
export type { SplitKeys, SplitRecord } from "../data/dataset/split_record.ts";
export { type DecodedImage, ImageError, type ImageErrorCode } from "../data/image/image.ts";
export {
  CENTRE_CROP,
  decodeSide,
  defaultPreprocess,
  type Preprocess,
  type Size,
} from "../data/preprocess.ts";

export {
  type AdapterKind,
  type CompileStage,
  type DeviceParts,
  Gpu as OpenedGpu,
  GpuLostError,
  type GpuOptions,
  GpuUnavailableError,
  GpuValidationError,
} from "../engine/device.ts";
export type { Driver } from "../engine/driver.ts";
export { UserError } from "../engine/errors.ts";
export { type Bindable, type Bound, KernelCache, kernelText, type Launch } from "../engine/kernel.ts";
export { type Pause, Plan, submit, submitFirst } from "../engine/plan.ts";
export type { LaunchTime } from "../engine/profile.ts";
export { hash, normal, shuffle, Stream, uniform } from "../engine/random.ts";
export type { Readback } from "../engine/readback.ts";
export type { Subgroups } from "../engine/subgroups.ts";
export {
  type AnyTensor,
  type ArrayOf,
  createTensor,
  destroyTensor,
  type DType,
  type ReadResult,
  readTensor,
  readTensors,
  Tensor,
  type TensorData,
  writeTensor,
} from "../engine/tensor.ts";
export type { NonFinite } from "../engine/kernels/check_finite/check_finite.ts";
export type { Case, Check } from "../engine/verify/case.ts";
export {
  type AdapterReport,
  adapterText,
  type Examination,
  rowText,
  summaryText,
  TABLE_HEADING,
} from "../engine/verify/report.ts";
export type { Row } from "../engine/verify/run.ts";

export { architecture, ARCHITECTURES } from "../model/architectures/registry.ts";
export type { ArchitectureOptions } from "../model/architectures/parts.ts";
export { ALL_CASES, QUICK_CASES } from "../model/cases.ts";
export type { Calibration, ModelCard, Scale, TrainingRecord, UnknownRule } from "../model/checkpoint/card.ts";
export type { Exemplars } from "../model/checkpoint/exemplars.ts";
export { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "../model/checkpoint/encoding.ts";
export { CheckpointError } from "../model/checkpoint/error.ts";
export type { TensorValue } from "../model/checkpoint/safetensors.ts";
export {
  type Classification,
  type Classifier,
  DeviceLostError,
  type Heatmap,
  type NamedAnswer,
  namedProbabilities,
  type NamedProbability,
  ranking,
} from "../model/inference/classifier_types.ts";
export {
  NetworkClassifier,
  type NetworkClassifierOptions,
  type NetworkClassifierParts,
} from "../model/inference/classifier.ts";
export type { Pass } from "../model/inference/inference.ts";
export { explainedPhoto, type OverlayJob, overlayPixels } from "../model/inference/overlay.ts";
export type { DevicePixels, Pixels, PlacedPhoto } from "../model/inference/photo_feed.ts";
export type * from "../model/layer.ts";
export {
  type Architecture,
  type BuildOptions,
  type DescribedLayer,
  Network,
  type Section,
} from "../model/network.ts";
export type { Arena, ArenaTensors, NamedSpec, Parameter, ParameterStore } from "../model/parameters.ts";

export { WeightAverage } from "../training/step/average.ts";
export {
  type ClassFigures,
  evaluate,
  type Evaluation,
  evaluationOf,
} from "../training/evaluation/evaluate.ts";
export type { FoundNonFinite } from "../training/step/numeric_checks.ts";
export {
  createOptimizer,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  OPTIMIZERS,
} from "../training/step/optimizer.ts";
export {
  balancedWeights,
  evaluationPhotos,
  labelsOf,
  mostPixels,
  type PhotoSource,
  type PhotoVariation,
  trainingPhotos,
} from "../training/photos/photos.ts";
export {
  eachPrediction,
  logitsOf,
  type Prediction,
  type PredictionOptions,
  type Predictions,
  predictPhotos,
} from "../training/evaluation/predictions.ts";
export {
  learningRate,
  type ScheduleName,
  type ScheduleOptions,
  SCHEDULES,
} from "../training/options/schedule.ts";
export type { LossParts, LossSums } from "../training/step/loss_sums.ts";
export type { Metrics } from "../training/step/loss_meter.ts";
export { type Teacher, Trainer, type TrainerOptions } from "../training/step/trainer.ts";
export {
  freezeBlocks,
  type HeadClasses,
  loadWeights,
  type TransferReport,
} from "../training/run/transfer.ts";
