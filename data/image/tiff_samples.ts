/**
 * From the unpacked bytes of a TIFF's strip or tile to RGBA, row by row.
 * @module
 */
import { ImageError } from "./image.ts";

/** The kinds of colours that are understood. */
export const PHOTOMETRIC = { whiteIsZero: 0, blackIsZero: 1, rgb: 2, palette: 3, cmyk: 5, yCbCr: 6 } as const;

/** How the samples of a picture lie and what they mean. */
export interface SampleLayout {
  readonly samples: number;
  /** How many of a pixel's samples lie together. */
  readonly together: number;
  /** Per sample: 1 to 16, 24 or 32; 32 or 64 of floating point. */
  readonly bits: number;
  readonly float: boolean;
  readonly little: boolean;
  readonly predictor: number;
  readonly photometric: number;
  /** Index of the alpha sample; -1 without. */
  readonly alpha: number;
  /** Whether the colours are multiplied by alpha. */
  readonly premultiplied: boolean;
  /** All reds from 0 to 255, then the greens and the blues. */
  readonly palette: readonly number[];
  /** YCbCr: how many pixels, across and down, share a colour. */
  readonly unit: readonly [width: number, height: number];
  /** YCbCr: the shares of red, green and blue in the luminance. */
  readonly luma: readonly number[];
  /** YCbCr: the values of black and white, and of no colour and the strongest. */
  readonly reference: readonly number[];
  readonly tileWidth: number;
}

/** A row's samples as whole numbers, or from 0 to 1. */
export type Samples = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** A row's samples, differences added up. Throws an `ImageError` for floating point that is not from 0 to 1. */
export function readRow(row: Uint8Array, layout: SampleLayout): Samples {
  const { together, bits, predictor, little, tileWidth } = layout;
  const count = tileWidth * together;
  if (layout.float) return readFloats(predictor === 3 ? joinPlanes(row, count, layout) : row, count, layout);
  const values = bits <= 8
    ? new Uint8Array(count)
    : bits <= 16
    ? new Uint16Array(count)
    : new Uint32Array(count);
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  if (bits === 8) values.set(row);
  else if (bits === 16) { for (let i = 0; i < count; i++) values[i] = view.getUint16(2 * i, little); }
  else if (bits === 32) { for (let i = 0; i < count; i++) values[i] = view.getUint32(4 * i, little); }
  else if (bits === 24) {
    const [high, low] = little ? [2, 0] : [0, 2];
    for (let i = 0; i < count; i++) {
      values[i] = row[3 * i + high]! << 16 | row[3 * i + 1]! << 8 | row[3 * i + low]!;
    }
  } else {
    const mask = (1 << bits) - 1;
    for (let i = 0, at = 0, held = 0, buffer = 0; i < count; i++) {
      for (; held < bits; held += 8) buffer = (buffer << 8 | row[at++]!) & 0xffffff;
      held -= bits;
      values[i] = buffer >> held & mask;
    }
  }
  // The sums wrap around, as they must.
  if (predictor === 2) { for (let i = together; i < count; i++) values[i]! += values[i - together]!; }
  return values;
}

/** Floating point that was split into its bytes, the highest of all samples first, and each of these written as differences. */
function joinPlanes(row: Uint8Array, count: number, { together, bits, little }: SampleLayout): Uint8Array {
  const bytes = row.slice(), size = bits / 8;
  for (let i = together; i < bytes.length; i++) bytes[i]! += bytes[i - together]!;
  const joined = new Uint8Array(bytes.length);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < size; k++) joined[i * size + (little ? size - 1 - k : k)] = bytes[k * count + i]!;
  }
  return joined;
}

function readFloats(row: Uint8Array, count: number, { bits, little }: SampleLayout): Float64Array {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = bits === 32 ? view.getFloat32(4 * i, little) : view.getFloat64(8 * i, little);
    if (!(value >= 0 && value <= 1)) { // whatever it means, a guess would be a wrong picture
      throw new ImageError(
        "unsupported",
        `Cannot decode the TIFF: it holds the sample ${value}, expected 0 to 1`,
      );
    }
    values[i] = value;
  }
  return values;
}

/** Row `y` of YCbCr in units: the luminances of the pixels that share a colour, then the two numbers of that. */
export function readUnits(tile: Uint8Array, y: number, { unit, tileWidth }: SampleLayout): Samples {
  const [width, height] = unit, size = width * height + 2;
  const values = new Uint8Array(tileWidth * 3);
  const row = Math.floor(y / height) * Math.ceil(tileWidth / width) * size;
  for (let x = 0; x < tileWidth; x++) {
    const start = row + Math.floor(x / width) * size;
    values[3 * x] = tile[start + y % height * width + x % width]!;
    values[3 * x + 1] = tile[start + size - 2]!;
    values[3 * x + 2] = tile[start + size - 1]!;
  }
  return values;
}

/** Writes a row's pixels as RGBA from `start` on, with straight alpha; premultiplied colours are put on white, where they belong. */
export function paintRow(
  values: Samples,
  layout: SampleLayout,
  data: Uint8Array,
  start: number,
  columns: number,
): void {
  const { samples, bits, float, photometric, alpha, premultiplied, palette } = layout;
  const scale = float ? 255 : 255 / (2 ** bits - 1);
  const size = 1 << bits;
  for (let x = 0, i = 0, at = start; x < columns; x++, i += samples, at += 4) {
    const first = values[i]!;
    switch (photometric) {
      case PHOTOMETRIC.palette:
        for (let c = 0; c < 3; c++) data[at + c] = palette[c * size + first]!;
        break;
      case PHOTOMETRIC.rgb:
        for (let c = 0; c < 3; c++) data[at + c] = Math.round(values[i + c]! * scale);
        break;
      case PHOTOMETRIC.cmyk: {
        const light = 1 - values[i + 3]! * scale / 255;
        for (let c = 0; c < 3; c++) data[at + c] = Math.round((255 - values[i + c]! * scale) * light);
        break;
      }
      case PHOTOMETRIC.yCbCr:
        paintYCbCr(values, i, layout, data, at);
        break;
      default: {
        const grey = Math.round(first * scale);
        data[at] = data[at + 1] = data[at + 2] = photometric === PHOTOMETRIC.whiteIsZero ? 255 - grey : grey;
      }
    }
    const opacity = alpha < 0 ? 255 : Math.round(values[i + alpha]! * scale);
    if (premultiplied && opacity < 255) {
      for (let c = 0; c < 3; c++) data[at + c] = Math.min(255, data[at + c]! + 255 - opacity);
    }
    data[at + 3] = premultiplied ? 255 : opacity;
  }
}

function paintYCbCr(
  values: Samples,
  i: number,
  { luma, reference }: SampleLayout,
  data: Uint8Array,
  at: number,
): void {
  const [fromRed, fromGreen, fromBlue] = luma as [number, number, number];
  const [black, white, noBlue, mostBlue, noRed, mostRed] = reference as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const y = (values[i]! - black) * 255 / (white - black);
  const red = y + (values[i + 2]! - noRed) * 127 / (mostRed - noRed) * (2 - 2 * fromRed);
  const blue = y + (values[i + 1]! - noBlue) * 127 / (mostBlue - noBlue) * (2 - 2 * fromBlue);
  const green = (y - fromRed * red - fromBlue * blue) / fromGreen;
  [red, green, blue].forEach((value, c) => data[at + c] = Math.round(Math.min(255, Math.max(0, value))));
}
