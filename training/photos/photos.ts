/**
 * Photos as training and evaluation see them: read by index, each with the map that places it in the input.
 * @module
 */
import { augmentMap, evaluationMap, variationOf, type VariationOptions } from "../../data/augment.ts";
import { eraseBox, jitterColours } from "../../data/jitter.ts";
import type { Preprocess } from "../../data/preprocess.ts";
import type { Pixels, PlacedPhoto } from "../../model/inference/photo_feed.ts";
import type { Label } from "../../model/training_step.ts";

/** Decoded photos by index. `data/dataset/photo_store.ts` is one. */
export interface PhotoSource {
  /** One for each photo, in a fixed order; `path` is its file, where it lies in one. */
  readonly entries: readonly {
    readonly width: number;
    readonly height: number;
    readonly label: number;
    readonly path?: string;
    /** A probability for each class, where the photo is not simply of one. */
    readonly soft?: Float32Array | undefined;
  }[];
  /** The photo's RGBA bytes. */
  pixels(index: number): Pixels;
}

/** What decides how training photos vary. */
export interface PhotoVariation extends VariationOptions {
  /** Of the run. */
  readonly seed: number;
}

/** Photos of a training batch, varied as a function of (seed, epoch, index) alone. */
export function trainingPhotos(
  source: PhotoSource,
  indices: Uint32Array,
  epoch: number,
  { seed, ...variation }: PhotoVariation,
  output: Preprocess,
): PlacedPhoto[] {
  const vary = variationOf(variation);
  return Array.from(indices, (index) => {
    const { width, height } = source.entries[index]!;
    const size = { width, height };
    const drawn = { seed, epoch, index };
    return {
      ...size,
      data: source.pixels(index),
      map: augmentMap({ ...drawn, vary, source: size, output, resize: output.resize }),
      colour: jitterColours(drawn, vary.colours),
      erase: eraseBox(drawn, vary.erase, output),
    };
  });
}

/** Photos as inference sees them. */
export function evaluationPhotos(
  source: PhotoSource,
  indices: Uint32Array,
  output: Preprocess,
): PlacedPhoto[] {
  return Array.from(indices, (index) => {
    const { width, height } = source.entries[index]!;
    const size = { width, height };
    return { ...size, data: source.pixels(index), map: evaluationMap(size, output, output.resize) };
  });
}

/** What some photos are to be recognised as. */
export function labelsOf(source: PhotoSource, indices: Uint32Array): Label[] {
  return Array.from(indices, (index) => source.entries[index]!.soft ?? source.entries[index]!.label);
}

/** Most pixels of any photo. */
export function mostPixels(source: PhotoSource): number {
  return source.entries.reduce((most, e) => Math.max(most, e.width * e.height), 1);
}

/** Weights that give each class the same share of the loss: photos / (classes * photos of the class). 1 for an empty class. */
export function balancedWeights(source: PhotoSource, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const { label } of source.entries) counts[label]!++;
  return counts.map((count) => count > 0 ? source.entries.length / (classes * count) : 1);
}
