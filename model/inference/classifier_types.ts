/**
 * The contract between whoever holds a trained network and whoever asks it questions.
 * It names no GPU type, so a server and its tests can import it alone.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import type { DecodedImage } from "../../data/image/image.ts";
import type { ModelCard } from "../checkpoint/card.ts";

/** A Grad-CAM map before upsampling: row-major, values 0 to 1. */
export interface Heatmap {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** height * width values. */
  readonly data: Float32Array;
}

/** The answer for one image. */
export interface Classification {
  /** One per class, in the order of `card.classes`. */
  readonly logits: Float32Array;
  /** Softmax of the logits, divided by the temperature where the model has one; sums to 1. */
  readonly probabilities: Float32Array;
  /** How much the image is like what the model knows, where it can tell; see `Familiarity`. */
  readonly familiarity?: number;
  /** Whether that is too little for any of its classes, where it can tell. */
  readonly unknown?: boolean;
  /** Present when `explain` was asked for. */
  readonly heatmap?: Heatmap;
}

/** The indices of a row's values, the largest first and of equal ones the first: classes in the order in which answers tell them. */
export function ranking(values: Float32Array): number[] {
  return Array.from(values, (_, k) => k).sort((a, b) => values[b]! - values[a]!);
}

/** How photos are classified. */
export interface ClassifyOptions {
  /** Also a Grad-CAM map of each photo's first class; default false. */
  readonly explain?: boolean | undefined;
  /** Test-time augmentation: the mean of the logits of the photo and its mirror image, for twice the work; default false. */
  readonly tta?: boolean | undefined;
}

/**
 * An answer in words: the best class with its probability, and the `topk` most probable ones (default: all), the best first. Where a model
 * can say that a photo is of none of its classes it says whether it is, and names no best class then; `refuse: false` keeps it from that.
 */
export function namedProbabilities(
  classes: readonly string[],
  { probabilities, unknown }: Pick<Classification, "probabilities" | "unknown">,
  { topk = classes.length, refuse = true }: { readonly topk?: number; readonly refuse?: boolean } = {},
): NamedAnswer {
  const told = ranking(probabilities).slice(0, topk).map((k) => ({
    class: classes[k]!,
    probability: probabilities[k]!,
  }));
  const [best] = told;
  if (unknown === undefined || !refuse) return { ...best!, probabilities: told };
  return {
    class: unknown ? null : best!.class,
    unknown,
    probability: best!.probability,
    probabilities: told,
  };
}

/** A class and how probable it is. */
export interface NamedProbability {
  /** The class's name. */
  class: string;
  /** 0 to 1. */
  probability: number;
}

/** The best class, and others in their order. */
export interface NamedAnswer {
  /** The most probable class's name; null where the photo is of no class that the model knows. */
  class: string | null;
  /** Whether it is; absent where the model cannot tell, or was not asked. */
  unknown?: boolean;
  /** Of the most probable class, 0 to 1. */
  probability: number;
  /** The best first. */
  probabilities: NamedProbability[];
}

/** A loaded, ready network in inference mode. */
export interface Classifier {
  /** What the checkpoint says about itself. */
  readonly card: ModelCard;
  /** Name of the adapter it runs on. */
  readonly adapter: string;
  /** Largest batch a call may carry. */
  readonly maxBatch: number;
  /** Classifies 1 to `maxBatch` photos in one pass. */
  classify(images: readonly DecodedImage[], options?: ClassifyOptions): Promise<Classification[]>;
  /** Logits `[batch, classes]` of a preprocessed input `[batch, 3, height, width]` (NCHW). */
  infer(input: Float32Array, batch: number): Promise<Float32Array>;
  /** Bytes of device memory held. */
  memory(): Promise<number>;
  /** Frees the network; later calls reject. */
  close(): Promise<void>;
}

/** The device went away (driver reset, lost adapter, killed worker). A new classifier is needed. */
export class DeviceLostError extends UserError {
  /** The class's name. */
  override readonly name = "DeviceLostError";
}
