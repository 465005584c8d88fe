/**
 * Max pooling by its definition, in float64.
 * @module
 */

/** Sizes of a pooling of [N, H, W, C]; pairs are [height, width], `padding` [top, left, bottom, right]. */
export interface MaxPoolSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly ceilMode: boolean;
}

/** Number of windows along one direction: whole steps, or one more with `ceilMode` if it begins in the input or the padding before it. */
function count(size: number, s: MaxPoolSizes, axis: 0 | 1): number {
  const before = s.padding[axis], span = s.dilation[axis] * (s.kernel[axis] - 1) + 1;
  const room = size + before + s.padding[axis + 2]! - span, stride = s.stride[axis];
  const whole = Math.floor(room / stride) + 1;
  const more = s.ceilMode && room % stride !== 0 && whole * stride < size + before;
  return more ? whole + 1 : whole;
}

/** Maximum of each window [N, OH, OW, C] and the index in x of its first occurrence in row-major order. */
export function maxPoolForward(
  x: ArrayLike<number>,
  s: MaxPoolSizes,
): { y: Float64Array; from: Int32Array; oh: number; ow: number } {
  const { n, h, w, c } = s, oh = count(h, s, 0), ow = count(w, s, 1);
  const y = new Float64Array(n * oh * ow * c), from = new Int32Array(y.length);
  for (let i = 0; i < y.length; i++) {
    const channel = i % c, column = Math.floor(i / c) % ow, line = Math.floor(i / (c * ow));
    const row = line % oh, image = Math.floor(line / oh);
    let best = -Infinity, where = -1;
    for (let kh = 0; kh < s.kernel[0]; kh++) {
      const r = row * s.stride[0] - s.padding[0] + kh * s.dilation[0];
      for (let kw = 0; kw < s.kernel[1]; kw++) {
        const q = column * s.stride[1] - s.padding[1] + kw * s.dilation[1];
        if (r < 0 || r >= h || q < 0 || q >= w) continue;
        const at = ((image * h + r) * w + q) * c + channel;
        if (x[at]! > best) {
          best = x[at]!;
          where = at;
        }
      }
    }
    y[i] = best;
    from[i] = where;
  }
  return { y, from, oh, ow };
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
