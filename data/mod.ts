/**
 * Photos: decoding in processes of their own, data sets in folders, batches, and how a photo is placed in an input. It knows neither
 * WebGPU nor networks.
 * @module
 */
export {
  type Affine,
  AUGMENT_LEVELS,
  type AugmentLevel,
  augmentMap,
  evaluationMap,
  mirrored,
  type Variation,
  variationOf,
  type VariationOptions,
  VARIATIONS,
} from "./augment.ts";
export {
  DataError,
  type Dataset,
  type DatasetOptions,
  type ListedPhoto,
  openDataset,
  type Sample,
} from "./dataset/folder.ts";
export { requireBatch } from "./dataset/requirements.ts";
export type { SplitName } from "./dataset/listing.ts";
export {
  RecordedSplit,
  recordSplit,
  type SeenPhotos,
  type SplitKeys,
  type SplitRecord,
} from "./dataset/split_record.ts";
export type { LeftOut } from "./dataset/walk.ts";
export { type PhotoEntry, PhotoStore, type SkippedPhoto } from "./dataset/photo_store.ts";
export { balancedOrder, evaluationBatches, trainingBatchCount, trainingBatches } from "./dataset/batches.ts";
export type { Place, Shards } from "./dataset/shards.ts";
export type { FetchedFormat } from "./image/fetched_codecs.ts";
export type { Fault } from "./inspection/faults.ts";
export {
  type Duplicates,
  type Inspection,
  type InspectionOptions,
  inspectPhotos,
  type NamedPhoto,
} from "./inspection/inspection.ts";
export { findLabelIssues, type LabelIssue } from "./inspection/label_issues.ts";
export type { PhotoTraits } from "./inspection/traits.ts";
export type { DecodeOptions } from "./image/decode.ts";
export { DecoderPool, type DecoderPoolOptions } from "./image/decoder_pool.ts";
export { type DecodedImage, ImageError, type ImageErrorCode } from "./image/image.ts";
export {
  type ColourJitter,
  type ColourMatrix,
  type Drawn,
  eraseBox,
  type ErasedBox,
  jitterColours,
} from "./jitter.ts";
export { CENTRE_CROP, decodeSide, defaultPreprocess, type Preprocess, type Size } from "./preprocess.ts";
