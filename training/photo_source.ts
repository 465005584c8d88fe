/**
 * Photos as training and evaluation see them: by index, each with the map that places it in the input.
 * @module
 */
import { type AugmentLevel, augmentMap, evaluationMap } from "../data/augment.ts";
import type { Preprocess } from "../data/preprocess.ts";
import type { Pixels, PlacedPhoto } from "../model/inference/photo_feed.ts";

/** Decoded photos by index. `data/dataset/photo_store.ts` is one. */
export interface PhotoSource {
  /** One for each photo, in a fixed order. */
  readonly entries: readonly { readonly width: number; readonly height: number; readonly label: number }[];
  /** The photo's RGBA bytes. */
  pixels(index: number): Pixels;
}

/** What decides how training photos vary. */
export interface Variation {
  readonly seed: number;
  readonly augment: AugmentLevel;
}

/** Photos of a training batch, varied as a function of (seed, epoch, index) alone. */
export function trainingPhotos(
  source: PhotoSource,
  indices: Uint32Array,
  epoch: number,
  { seed, augment }: Variation,
  output: Preprocess,
): PlacedPhoto[] {
  return Array.from(indices, (index) => {
    const { width, height } = source.entries[index]!;
    const size = { width, height };
    const drawn = { seed, epoch, index, level: augment, source: size, output, resize: output.resize };
    return { ...size, data: source.pixels(index), map: augmentMap(drawn) };
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

/** The labels of some photos. */
export function labelsOf(source: PhotoSource, indices: Uint32Array): number[] {
  return Array.from(indices, (index) => source.entries[index]!.label);
}

/** Most pixels of any photo. */
export function mostPixels(source: PhotoSource): number {
  return source.entries.reduce((most, e) => Math.max(most, e.width * e.height), 1);
}
