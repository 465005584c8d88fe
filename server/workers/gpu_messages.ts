/**
 * What the main thread and the GPU's worker say to each other.
 * @module
 */
import type { DecodedImage } from "../../data/image/image.ts";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import type { Classification, Classifier } from "../../model/inference/classifier_types.ts";

/** How a checkpoint is opened; `LoadClassifier` is what a loader module exports. */
export interface LoadOptions {
  /** Inputs in one pass at most; plans are built for batches up to this. */
  readonly maxBatch: number;
}

/** A classifier that takes the inputs of a pass one by one. */
export interface RowClassifier extends Classifier {
  /** As `infer`, with the bytes of one preprocessed input `[3, height, width]` per row: float32, little-endian. */
  inferRows(rows: readonly Uint8Array[]): Promise<Float32Array>;
}

/**
 * Opens a checkpoint file; rejects with a sentence that names the file. What one loader opens shares one device, whose memory each
 * of its classifiers tells.
 */
export type LoadClassifier = (path: string, options: LoadOptions) => Promise<RowClassifier>;

/** The first message: where `loadClassifier` comes from, and a port whose closing tells that the worker is gone. */
export interface Start {
  readonly loader: string;
  readonly lifeline: MessagePort;
}

/** A call, by the number `model` that `load` answered with. */
export type Call =
  | { readonly op: "load"; readonly path: string; readonly options: LoadOptions }
  | {
    readonly op: "classify";
    readonly model: number;
    readonly images: readonly DecodedImage[];
    readonly explain: boolean;
  }
  | { readonly op: "infer"; readonly model: number; readonly rows: readonly Uint8Array[] }
  | { readonly op: "memory"; readonly model: number }
  | { readonly op: "close"; readonly model: number };

/** What `load` answers. */
export interface Loaded {
  readonly model: number;
  readonly card: ModelCard;
  readonly adapter: string;
  readonly maxBatch: number;
}

/** The answer to each kind of call. */
export interface Results {
  load: Loaded;
  classify: Classification[];
  infer: Float32Array;
  memory: number;
  close: undefined;
}

/** The answer to call `id`. Errors cross threads as name and message. */
export type Reply =
  | { readonly id: number; readonly value: Results[keyof Results] }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };
