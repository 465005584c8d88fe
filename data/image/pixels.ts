/**
 * What happens to pixels after decoding: white behind what is transparent, shrinking, turning upright.
 * All images are 8-bit RGBA, row-major.
 * @module
 */
import type { DecodedImage, Orientation } from "./image.ts";

/** Puts the pixels on white, in place, so that every alpha is 255. */
export function flattenOnWhite(data: Uint8Array): void {
  for (let i = 3; i < data.length; i += 4) {
    const alpha = data[i]!;
    if (alpha === 255) continue;
    const white = (255 - alpha) * 255 + 127;
    data[i - 3] = Math.floor((data[i - 3]! * alpha + white) / 255);
    data[i - 2] = Math.floor((data[i - 2]! * alpha + white) / 255);
    data[i - 1] = Math.floor((data[i - 1]! * alpha + white) / 255);
    data[i] = 255;
  }
}

/**
 * Shrinks an opaque image so that its shorter side has `shorterSide` pixels; never enlarges. Where that is a multiple of four from
 * 64 on, so is the longer side, at most two pixels off: the input kernel reads such rows four pixels at a time. Each pixel is the mean of the
 * area it covers, in exact integer arithmetic, so the result is the same everywhere.
 */
export function shrink(image: DecodedImage, shorterSide: number): DecodedImage {
  const { width: sw, height: sh } = image;
  const shorter = Math.min(sw, sh);
  if (shorter <= shorterSide) return image;
  const unit = shorterSide % 4 === 0 && shorterSide >= 64 ? 4 : 1;
  const scaled = (side: number) => Math.max(1, Math.round(side * shorterSide / shorter / unit)) * unit;
  const dw = scaled(sw), dh = scaled(sh);
  const data = new Uint8Array(dw * dh * 4).fill(255);
  // In units of 1/dw of a source column and 1/dh of a source row every overlap is a whole number; sums stay below 2^53.
  const row = new Float64Array(dw * 3);
  const sums = new Float64Array(dw * 3);
  const area = sw * sh, half = Math.floor(area / 2);
  let target = 0, space = sh; // the target row being filled, and how much of it is still empty
  for (let y = 0; y < sh; y++) {
    shrinkRow(image.data, y * sw * 4, sw, row, dw);
    for (let left = dh; left > 0;) {
      const part = Math.min(left, space);
      for (let i = 0; i < row.length; i++) sums[i]! += part * row[i]!;
      left -= part;
      space -= part;
      if (space > 0) continue;
      for (let x = 0, at = target * dw * 4; x < dw; x++, at += 4) {
        for (let c = 0; c < 3; c++) data[at + c] = Math.floor((sums[x * 3 + c]! + half) / area);
      }
      sums.fill(0);
      target++;
      space = sh;
    }
  }
  return { width: dw, height: dh, data };
}

/** One source row as `dw` sums over `sw / dw` columns each, in units of 1/dw column. */
function shrinkRow(source: Uint8Array, at: number, sw: number, row: Float64Array, dw: number): void {
  let space = sw, out = 0, r = 0, g = 0, b = 0;
  for (let x = 0; x < sw; x++, at += 4) {
    const sr = source[at]!, sg = source[at + 1]!, sb = source[at + 2]!;
    let left = dw;
    while (left >= space) { // this column ends a target column
      row[out] = r + space * sr;
      row[out + 1] = g + space * sg;
      row[out + 2] = b + space * sb;
      out += 3;
      left -= space;
      space = sw;
      r = g = b = 0;
    }
    r += left * sr;
    g += left * sg;
    b += left * sb;
    space -= left;
  }
}

/** Turns a stored image upright as its EXIF orientation asks. */
export function orient(image: DecodedImage, orientation: Orientation): DecodedImage {
  if (orientation === 1) return image;
  const { width: sw, height: sh } = image;
  const [origin, right, down] = STEPS[orientation](sw, sh);
  const swapped = orientation >= 5;
  const width = swapped ? sh : sw, height = swapped ? sw : sh;
  const source = new Uint32Array(image.data.buffer, image.data.byteOffset, sw * sh);
  const target = new Uint32Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = origin + y * down; x < width; x++, from += right) target[at++] = source[from]!;
  }
  return { width, height, data: new Uint8Array(target.buffer) };
}

type Step = (width: number, height: number) => [origin: number, right: number, down: number];

/** Where the upright image's first pixel is stored, and how far its right and lower neighbours are from each other there. */
const STEPS: Readonly<Record<Exclude<Orientation, 1>, Step>> = {
  2: (w) => [w - 1, -1, w],
  3: (w, h) => [w * h - 1, -1, -w],
  4: (w, h) => [w * (h - 1), 1, -w],
  5: (w) => [0, w, 1],
  6: (w, h) => [w * (h - 1), -w, 1],
  7: (w, h) => [w * h - 1, -w, -1],
  8: (w) => [w - 1, w, -1],
};
