/** @module */

/** Sizes of a pooling of [N, H, W, C] by square windows. */
export interface MaxPoolSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Maximum of each window [N, OH, OW, C] and the index in x of its first occurrence in row-major order. */
export function maxPoolForward(
  x: ArrayLike<number>,
  { n, h, w, c, kernel, stride, padding }: MaxPoolSizes,
): { y: Float64Array; from: Int32Array } {
  const oh = Math.floor((h + 2 * padding - kernel) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - kernel) / stride) + 1;
  const y = new Float64Array(n * oh * ow * c), from = new Int32Array(y.length);
  for (let i = 0; i < y.length; i++) {
    const channel = i % c, column = Math.floor(i / c) % ow, line = Math.floor(i / (c * ow));
    const row = line % oh, image = Math.floor(line / oh);
    let best = -Infinity, where = -1;
    for (let r = row * stride - padding; r < row * stride - padding + kernel; r++) {
      for (let s = column * stride - padding; s < column * stride - padding + kernel; s++) {
        if (r < 0 || r >= h || s < 0 || s >= w) continue;
        const at = ((image * h + r) * w + s) * c + channel;
        if (x[at]! > best) {
          best = x[at]!;
          where = at;
        }
      }
    }
    y[i] = best;
    from[i] = where;
  }
  return { y, from };
}

/** dx of sum(dy * y): each window's gradient goes to its first maximum. */
export function maxPoolBackward(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  sizes: MaxPoolSizes,
): Float64Array {
  const dx = new Float64Array(x.length);
  maxPoolForward(x, sizes).from.forEach((at, i) => dx[at]! += dy[i]!);
  return dx;
}
