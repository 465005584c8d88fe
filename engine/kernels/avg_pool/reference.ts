/**
 * Average pooling by its definition, in float64.
 * @module
 */

/** Sizes of a pooling of [N, H, W, C] to [N, OH, OW, C]; pairs are [height, width], `padding` [top, left, bottom, right]. */
export interface AvgPoolSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly oh: number;
  readonly ow: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | undefined;
}

/** Calls `visit(x index, y index, share)` for every pixel of every window. */
function eachPixel(s: AvgPoolSizes, visit: (x: number, y: number, share: number) => void): void {
  for (let i = 0; i < s.n * s.oh * s.ow * s.c; i++) {
    const c = i % s.c, column = Math.floor(i / s.c) % s.ow, line = Math.floor(i / (s.c * s.ow));
    const row = line % s.oh, image = Math.floor(line / s.oh);
    const top = row * s.stride[0] - s.padding[0], left = column * s.stride[1] - s.padding[1];
    const bottom = Math.min(top + s.kernel[0], s.h + s.padding[2]);
    const right = Math.min(left + s.kernel[1], s.w + s.padding[3]);
    const inside: number[] = [];
    for (let h = Math.max(top, 0); h < Math.min(bottom, s.h); h++) {
      for (let w = Math.max(left, 0); w < Math.min(right, s.w); w++) {
        inside.push(((image * s.h + h) * s.w + w) * s.c + c);
      }
    }
    const counted = s.countIncludePad ? (bottom - top) * (right - left) : inside.length;
    for (const at of inside) visit(at, i, 1 / (s.divisorOverride ?? counted));
  }
}

/** y = the mean of each window. */
export function avgPoolForward(x: ArrayLike<number>, s: AvgPoolSizes): Float64Array {
  const y = new Float64Array(s.n * s.oh * s.ow * s.c);
  eachPixel(s, (from, to, share) => y[to]! += x[from]! * share);
  return y;
}

/** dx of sum(dy * y). */
export function avgPoolBackward(dy: ArrayLike<number>, s: AvgPoolSizes): Float64Array {
  const dx = new Float64Array(s.n * s.h * s.w * s.c);
  eachPixel(s, (from, to, share) => dx[from]! += dy[to]! * share);
  return dx;
}
