/**
 * AlexNet on WebGPU, from training to serving: the public surface.
 *
 * ```ts
 * import { DecoderPool, decodeSide, loadClassifier } from "./mod.ts";
 *
 * const classifier = await loadClassifier("runs/my-run/best.safetensors");
 * await using pool = new DecoderPool();
 * const bytes = await Deno.readFile("photo.jpg");
 * const photo = await pool.decode(bytes, { shorterSide: decodeSide(classifier.card.preprocess) });
 * const [answer] = await classifier.classify([photo]);
 * classifier.card.classes.forEach((name, i) => console.log(name, answer!.probabilities[i]));
 * await classifier.close();
 * ```
 * @module
 */
export * from "./engine/gpu.ts";
export * from "./engine/kernel.ts";
export * from "./engine/plan.ts";
export * from "./engine/tensor.ts";
export * from "./model/architectures/alexnet.ts";
export * from "./model/architectures/compact.ts";
export * from "./model/architectures/registry.ts";
export * from "./model/architectures/resnet.ts";
export { decodeSide, defaultPreprocess, type Preprocess } from "./data/preprocess.ts";
export {
  cardFromMetadata,
  cardToMetadata,
  type ModelCard,
  type TrainingRecord,
} from "./model/checkpoint/card.ts";
export * from "./model/checkpoint/checkpoint.ts";
export * from "./model/inference/classifier.ts";
export type * from "./model/inference/classifier_types.ts";
export { DeviceLostError } from "./model/inference/classifier_types.ts";
export * from "./model/layer.ts";
export * from "./model/network.ts";
export { adaptiveAvgPool } from "./model/layers/adaptive_avg_pool.ts";
export { batchNorm } from "./model/layers/batch_norm.ts";
export { conv2d } from "./model/layers/conv2d.ts";
export { dropout } from "./model/layers/dropout.ts";
export { flatten } from "./model/layers/flatten.ts";
export { linear } from "./model/layers/linear.ts";
export { localResponseNorm } from "./model/layers/local_response_norm.ts";
export { maxPool } from "./model/layers/max_pool.ts";
export { relu } from "./model/layers/relu.ts";
export { DecoderPool } from "./data/image/decoder_pool.ts";
export { type DecodedImage, ImageError } from "./data/image/image.ts";
export { type Dataset, openDataset, type Sample } from "./data/dataset/folder.ts";
export { type AugmentLevel, augmentMap, evaluationMap } from "./data/augment.ts";
export { evaluationBatches, trainingBatches } from "./data/dataset/sampler.ts";
export { withInit } from "./model/init.ts";
export type { PlacedPhoto } from "./model/inference/photo_feed.ts";
export { WeightAverage } from "./training/average.ts";
export { evaluate, type Evaluation } from "./training/evaluate.ts";
export { createOptimizer, type Optimizer, type OptimizerOptions } from "./training/optimizer.ts";
export {
  type ClassWeights,
  type Option,
  type OptionValues,
  PLACE_OPTIONS,
  type PlaceOptions,
  RUN_OPTIONS,
  type RunOptions,
  runOptions,
} from "./training/options.ts";
export {
  evaluationPhotos,
  labelsOf,
  mostPixels,
  openPhotos,
  type PhotoSource,
  trainingPhotos,
} from "./training/photo_source.ts";
export { learningRate } from "./training/schedule.ts";
export { type Metrics, Trainer, type TrainerOptions } from "./training/trainer.ts";
export { resumeTraining, train } from "./training/train.ts";
