/**
 * What a photo's pixels say of it, in a few numbers: what it looks like from afar, how light and how sharp it is. Taken once, when it is
 * decoded, and kept with its pixels.
 * @module
 */
import type { DecodedImage } from "../image/image.ts";

/** A photo in a few numbers. */
export interface PhotoTraits {
  /** A perceptual hash, see `perceptualHash`: 16 hexadecimal digits, which differ in few bits for two copies of one picture. */
  readonly hash: string;
  /** The luminance that nine tenths of the pixels do not exceed, 0 to 255. */
  readonly light: number;
  /** How much fine detail there is, and how fine it is next to the coarser; the less, the more blurred. See `sharpness`. */
  readonly sharpness: number;
}

/** Frequencies across and down that the hash takes, and the side of the picture that they are taken of. */
const FREQUENCIES = 8, HASHED_SIDE = 32;

/** Every fourth row is enough to measure sharpness. */
const ROW_STEP = 4;

/** The traits of a decoded photo. */
export function traitsOf({ width, height, data }: DecodedImage): PhotoTraits {
  const grey = luminance(data, width * height);
  return {
    hash: perceptualHash(grey, width, height),
    light: percentile(grey, 0.9),
    sharpness: sharpness(grey, width, height),
  };
}

/** Luminance, 0 to 255, of RGBA pixels (BT.601, as JPEG has it). */
export function luminance(data: Uint8Array, pixels: number): Uint8Array {
  const grey = new Uint8Array(pixels);
  for (let i = 0, at = 0; i < pixels; i++, at += 4) {
    grey[i] = (77 * data[at]! + 150 * data[at + 1]! + 29 * data[at + 2]!) >> 8;
  }
  return grey;
}

/** Where the values of a picture lie: every `step`th of an array from `offset` on, row by row. */
interface Plane {
  readonly width: number;
  readonly height: number;
  readonly step?: number;
  readonly offset?: number;
}

/** The picture in `side` x `side` means; where it is smaller than that, in nearest pixels. */
export function thumbnail(
  values: Uint8Array,
  { width, height, step = 1, offset = 0 }: Plane,
  side: number,
): Float64Array {
  const small = new Float64Array(side * side);
  const edge = (i: number, length: number) => Math.floor(i * length / side);
  for (let row = 0; row < side; row++) {
    const top = edge(row, height), bottom = Math.max(top + 1, edge(row + 1, height));
    for (let column = 0; column < side; column++) {
      const left = edge(column, width), right = Math.max(left + 1, edge(column + 1, width));
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        const end = (y * width + right) * step;
        for (let i = (y * width + left) * step + offset; i < end; i += step) sum += values[i]!;
      }
      small[row * side + column] = sum / ((bottom - top) * (right - left));
    }
  }
  return small;
}

const COSINES = Array.from(
  { length: FREQUENCIES },
  (_, k) =>
    Float64Array.from({ length: HASHED_SIDE }, (_, x) => Math.cos(Math.PI * k * (x + 0.5) / HASHED_SIDE)),
);

/**
 * The signs of the 8 x 8 lowest frequencies of the picture's cosine transform (pHash, with zero where it has the median): a byte for each
 * frequency down, its highest bit for the lowest across; the mean's is 0. The picture in a mirror has the other sign in every second one
 * across.
 */
function perceptualHash(grey: Uint8Array, width: number, height: number): string {
  const small = thumbnail(grey, { width, height }, HASHED_SIDE);
  const rows = new Float64Array(FREQUENCIES * HASHED_SIDE);
  for (let y = 0; y < HASHED_SIDE; y++) {
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0;
      for (let x = 0; x < HASHED_SIDE; x++) sum += small[y * HASHED_SIDE + x]! * COSINES[u]![x]!;
      rows[y * FREQUENCIES + u] = sum;
    }
  }
  let hash = "";
  for (let v = 0; v < FREQUENCIES; v++) {
    let byte = 0;
    for (let u = 0; u < FREQUENCIES; u++) {
      let sum = 0;
      for (let y = 0; y < HASHED_SIDE; y++) sum += rows[y * FREQUENCIES + u]! * COSINES[v]![y]!;
      byte = byte << 1 | (sum > 0 && u + v > 0 ? 1 : 0);
    }
    hash += byte.toString(16).padStart(2, "0");
  }
  return hash;
}

function percentile(grey: Uint8Array, share: number): number {
  const counts = new Uint32Array(256);
  for (let i = 0; i < grey.length; i++) counts[grey[i]!]!++;
  let value = 0;
  for (let left = Math.ceil(share * grey.length); value < 255; value++) {
    left -= counts[value]!;
    if (left <= 0) break;
  }
  return value;
}

/**
 * With L_d the mean square of the Laplacian between pixels d apart: L_1 * L_1 / (L_4 + 1). L_1 alone, the usual measure, takes a photo of
 * little contrast for a blurred one; L_1 / L_4, the share of fine detail, takes a compressor's noise in a very blurred one for detail.
 */
function sharpness(grey: Uint8Array, width: number, height: number): number {
  let fine = 0, coarse = 0, count = 0;
  const far = 4 * width;
  for (let y = 4; y < height - 4; y += ROW_STEP) {
    for (let i = y * width + 4, end = (y + 1) * width - 4; i < end; i++) {
      const middle = 4 * grey[i]!;
      const a = middle - grey[i - 1]! - grey[i + 1]! - grey[i - width]! - grey[i + width]!;
      const b = middle - grey[i - 4]! - grey[i + 4]! - grey[i - far]! - grey[i + far]!;
      fine += a * a;
      coarse += b * b;
      count++;
    }
  }
  if (count === 0) return Infinity; // too small to tell
  return fine * fine / count / (coarse + count);
}
