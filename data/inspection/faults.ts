/**
 * Photos that show little: dark, blurred, tiny or very long ones.
 * @module
 */
import type { PhotoEntry } from "../dataset/photo_store.ts";

/** What is wrong with a photo. */
export type Fault = "dark" | "blurred" | "tiny" | "odd";

/** A photo with a fault. */
export interface FaultyPhoto {
  /** Its place in the list. */
  readonly index: number;
  readonly fault: Fault;
}

/**
 * A photo of which nine tenths are below this luminance is dark. Of 2,700 photos of animals none is (the darkest has 66); of 60 darkened
 * to a tenth or a fifth all are, of those darkened to a third about half.
 */
const DARK = 60;

/**
 * A photo is blurred whose sharpness lies this many deviations below the folder's median, in logarithms and with the median deviation.
 * Of the animals none does (-3.3 at most); of 60 blurred by 3 or 5 pixels (sigma, shorter side 384) all do (-3.6 at least), of those by 2
 * pixels five in six.
 */
const BLURRED_DEVIATIONS = 3.4;

/** Sharpness that is fine in any folder, and where it begins not to be in one of too few photos to compare (the animals' -2.6 and -3.4). */
const SHARP = 2, BLURRED = 0.67;

/** So many photos make a median. */
const COMPARABLE = 50;

/** A shorter side below this is tiny, in pixels, unless the folder's photos are of that size. */
const TINY = 64;

/** The longer side by the shorter, beyond which a photo is a strip. */
const STRIP = 3;

/** What is wrong with the photos; one fault each, the one that explains the others. Those without traits have no fault of light or blur. */
export function faultsOf(photos: readonly Pick<PhotoEntry, "width" | "height" | "traits">[]): FaultyPhoto[] {
  const sides = photos.map(({ width, height }) => Math.min(width, height));
  const usualSide = median(sides), least = leastSharpness(photos);
  return photos.flatMap(({ width, height, traits }, index): FaultyPhoto[] => {
    const side = sides[index]!;
    if (side < TINY && side < usualSide / 2) return [{ index, fault: "tiny" }];
    if (Math.max(width, height) > STRIP * side) return [{ index, fault: "odd" }];
    if (traits === undefined) return [];
    if (traits.light < DARK) return [{ index, fault: "dark" }];
    return traits.sharpness < least ? [{ index, fault: "blurred" }] : [];
  });
}

function leastSharpness(photos: readonly Pick<PhotoEntry, "traits">[]): number {
  const values = photos.flatMap(({ traits }) => traits ? [Math.log(Math.max(traits.sharpness, 1e-6))] : []);
  if (values.length < COMPARABLE) return BLURRED;
  const middle = median(values), deviation = 1.4826 * median(values.map((value) => Math.abs(value - middle)));
  return Math.min(SHARP, Math.exp(middle - BLURRED_DEVIATIONS * deviation));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
