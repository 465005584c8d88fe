/**
 * Sums over images that a run keeps, from the device's and over an epoch.
 * @module
 */
import { z } from "zod";

/** How far predictions are from targets that are distributions, in nats: a mean, or a sum over images. */
export interface LossParts {
  /** -sum p log q; the KL divergence and the entropy together. */
  readonly crossEntropy: number;
  /** sum p log(p / q): what is left to learn. */
  readonly divergence: number;
  /** -sum p log p of the targets themselves, below which no cross-entropy can be. */
  readonly entropy: number;
}

/** Sums over images. */
export interface LossSums {
  /** Images seen. */
  readonly images: number;
  /** Their losses. */
  readonly loss: number;
  /** Those whose highest logit was the label. */
  readonly hits: number;
  /** How far predictions were from soft targets; absent where there are none. */
  readonly parts?: LossParts | undefined;
}

/** Reads `LossParts`. */
export const partsSchema: z.ZodType<LossParts> = z.object({
  crossEntropy: z.number(),
  divergence: z.number(),
  entropy: z.number(),
});

/** Both sums together. */
export function addedUp(a: LossSums, b: LossSums): LossSums {
  const parts = a.parts && b.parts
    ? {
      crossEntropy: a.parts.crossEntropy + b.parts.crossEntropy,
      divergence: a.parts.divergence + b.parts.divergence,
      entropy: a.parts.entropy + b.parts.entropy,
    }
    : a.parts ?? b.parts;
  return {
    images: a.images + b.images,
    loss: a.loss + b.loss,
    hits: a.hits + b.hits,
    ...parts && { parts },
  };
}

/** Means over the images; undefined where nothing was measured. */
export function meanParts({ images, parts }: LossSums): LossParts | undefined {
  return parts && {
    crossEntropy: parts.crossEntropy / images,
    divergence: parts.divergence / images,
    entropy: parts.entropy / images,
  };
}
