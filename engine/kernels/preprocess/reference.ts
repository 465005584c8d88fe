/**
 * One photo to network input in plain float64 loops.
 * @module
 */

/** One photo and how it is sampled; see `samplePhoto`. */
export interface PhotoSampling {
  /** RGBA, row by row. */
  readonly pixels: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
  /** (a, b, c, d, e, f): output point (x, y) shows source point (a x + b y + c, d x + e y + f). */
  readonly map: readonly number[];
  /** Points averaged per output pixel along x and along y. */
  readonly taps: readonly [number, number];
  /** Index in RGBA of each output channel. */
  readonly channels: readonly number[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** [3, 4]: rows of red, green and blue on (red, green, blue, 1), values from 0 to 255; absent: as they are. */
  readonly colour?: readonly number[] | undefined;
  /** Output pixels that become 0: columns from `x0` to before `x1`, rows from `y0` to before `y1`. */
  readonly erase?:
    | { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number }
    | undefined;
}

/**
 * Output [side, side, channels]: bilinear points, pixel centres at .5, edges clamped, recoloured and cut to 0 to 255, then
 * (value / 255 - mean) / std; 0 where it is erased.
 */
export function samplePhoto(s: PhotoSampling, side: number): Float64Array {
  const [a, b, c, d, e, f] = s.map as [number, number, number, number, number, number];
  const [tapsX, tapsY] = s.taps, depth = s.channels.length;
  const y = new Float64Array(side * side * depth);
  for (let i = 0; i < y.length; i++) {
    const channel = i % depth, column = Math.floor(i / depth) % side, row = Math.floor(i / (depth * side));
    if (s.erase && column >= s.erase.x0 && column < s.erase.x1 && row >= s.erase.y0 && row < s.erase.y1) {
      continue;
    }
    const sums = [0, 0, 0];
    for (let v = 0; v < tapsY; v++) {
      for (let u = 0; u < tapsX; u++) {
        const x = column + (u + 0.5) / tapsX, z = row + (v + 0.5) / tapsY;
        for (let k = 0; k < 3; k++) {
          sums[k]! += bilinear(s, a * x + b * z + c - 0.5, d * x + e * z + f - 0.5, k);
        }
      }
    }
    const value = [...sums.map((sum) => sum / (tapsX * tapsY)), 1];
    const from = s.channels[channel]!;
    const row4 = s.colour?.slice(from * 4, from * 4 + 4) ?? value.map((_, k) => Number(k === from));
    const seen = row4.reduce((sum, m, k) => sum + m * value[k]!, 0);
    y[i] = (Math.min(Math.max(seen, 0), 255) / 255 - s.mean[channel]!) / s.std[channel]!;
  }
  return y;
}

function bilinear({ pixels, width, height }: PhotoSampling, x: number, y: number, channel: number): number {
  const clamped = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
  const column = clamped(x, width), row = clamped(y, height);
  const left = Math.floor(column), top = Math.floor(row);
  const right = Math.min(left + 1, width - 1), bottom = Math.min(top + 1, height - 1);
  const at = (r: number, c: number) => pixels[(r * width + c) * 4 + channel]!;
  const mix = (p: number, q: number, share: number) => p + (q - p) * share;
  const across = column - left;
  return mix(
    mix(at(top, left), at(top, right), across),
    mix(at(bottom, left), at(bottom, right), across),
    row - top,
  );
}
