/**
 * Networks: layers, containers with branches, architectures, the training step, checkpoints and inference.
 * @module
 */
export { alexnet, alexnet2012 } from "./architectures/alexnet.ts";
export { compact, compactBn } from "./architectures/compact.ts";
export { type ArchitectureOptions, block } from "./architectures/parts.ts";
export { architecture, ARCHITECTURES } from "./architectures/registry.ts";
export { compactRes, resnet18 } from "./architectures/resnet.ts";
export type { SplitRecord } from "../data/dataset/split_record.ts";
export {
  type Calibration,
  cardFromMetadata,
  cardToMetadata,
  type ModelCard,
  type Scale,
  type TrainingRecord,
  type UnknownRule,
} from "./checkpoint/card.ts";
export type { Exemplars } from "./checkpoint/exemplars.ts";
export {
  type Checkpoint,
  CheckpointError,
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  loadTensors,
  saveCheckpoint,
  saveTensors,
  type Tensors,
  type TensorValue,
} from "./checkpoint/checkpoint.ts";
export {
  type Classification,
  type Classifier,
  type ClassifyOptions,
  DeviceLostError,
  type Heatmap,
} from "./inference/classifier_types.ts";
export {
  NetworkClassifier,
  type NetworkClassifierOptions,
  type NetworkClassifierParts,
} from "./inference/classifier.ts";
export type { Pass } from "./inference/inference.ts";
export { type ClassifierOptions, createClassifier, loadClassifier } from "./inference/load.ts";
export { type DevicePixels, PhotoFeed, type Pixels, type PlacedPhoto } from "./inference/photo_feed.ts";
export { initialValues, withInit } from "./init.ts";
export * from "./layer.ts";
export { adaptiveAvgPool, type AdaptiveAvgPoolLayerOptions } from "./layers/adaptive_avg_pool.ts";
export { avgPool, type AvgPoolLayerOptions } from "./layers/avg_pool.ts";
export { batchNorm, type BatchNormLayerOptions } from "./layers/batch_norm.ts";
export { conv2d, type Conv2dLayerOptions } from "./layers/conv2d.ts";
export { dropout, type DropoutLayerOptions } from "./layers/dropout.ts";
export { flatten } from "./layers/flatten.ts";
export { linear, type LinearLayerOptions } from "./layers/linear.ts";
export { localResponseNorm, type LocalResponseNormLayerOptions } from "./layers/local_response_norm.ts";
export { maxPool, type MaxPoolLayerOptions } from "./layers/max_pool.ts";
export { relu } from "./layers/relu.ts";
export {
  type Architecture,
  type BuildOptions,
  type DescribedLayer,
  describeLayers,
  describeNetwork,
  Network,
  type Section,
} from "./network.ts";
export {
  type Arena,
  type ArenaTensors,
  type NamedSpec,
  type Parameter,
  ParameterStore,
} from "./parameters.ts";
export {
  referenceNetwork,
  type ReferenceStep,
  referenceStep,
  type TrainingMode,
} from "./reference_network.ts";
export { BatchRecords } from "./batch_records.ts";
export { residual, type ResidualPaths } from "./residual.ts";
export { sequential } from "./sequential.ts";
export {
  type Label,
  type MixedLabels,
  type TeacherTarget,
  TrainingStep,
  type TrainingStepOptions,
} from "./training_step.ts";
export { requestTunedGpu } from "./tuned_gpu.ts";
export type { AnyTensor, DType, Gpu, Plan, Tensor } from "../engine/mod.ts";
export type { DecodedImage, Preprocess } from "../data/mod.ts";
export type { Padding, Pair, WindowOptions } from "../engine/kernels/prelude/window.ts";
export type { StepParams } from "../engine/kernels/optimizer/optimizer.ts";
