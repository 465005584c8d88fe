/**
 * Adaptive average pooling in plain float64 loops.
 * @module
 */

/** Sizes of an adaptive average pooling of [N, H, W, C] to [N, OH, OW, C]. */
export interface AdaptivePoolSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly oh: number;
  readonly ow: number;
}

/** Calls `visit(x index, y index, 1 / window area)`; window i covers floor(i H / OH) to ceil((i + 1) H / OH). */
function eachPixel(s: AdaptivePoolSizes, visit: (x: number, y: number, share: number) => void): void {
  for (let i = 0; i < s.n * s.oh * s.ow * s.c; i++) {
    const c = i % s.c, column = Math.floor(i / s.c) % s.ow, line = Math.floor(i / (s.c * s.ow));
    const row = line % s.oh, image = Math.floor(line / s.oh);
    const top = Math.floor(row * s.h / s.oh), bottom = Math.ceil((row + 1) * s.h / s.oh);
    const left = Math.floor(column * s.w / s.ow), right = Math.ceil((column + 1) * s.w / s.ow);
    for (let h = top; h < bottom; h++) {
      for (let w = left; w < right; w++) {
        visit(((image * s.h + h) * s.w + w) * s.c + c, i, 1 / ((bottom - top) * (right - left)));
      }
    }
  }
}

/** y = the mean of each window. */
export function adaptiveAvgPoolForward(x: ArrayLike<number>, s: AdaptivePoolSizes): Float64Array {
  const y = new Float64Array(s.n * s.oh * s.ow * s.c);
  eachPixel(s, (ix, iy, share) => y[iy]! += x[ix]! * share);
  return y;
}

/** dx of sum(dy * y). */
export function adaptiveAvgPoolBackward(dy: ArrayLike<number>, s: AdaptivePoolSizes): Float64Array {
  const dx = new Float64Array(s.n * s.h * s.w * s.c);
  eachPixel(s, (ix, iy, share) => dx[ix]! += dy[iy]! * share);
  return dx;
}
