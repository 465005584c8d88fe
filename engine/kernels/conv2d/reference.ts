/**
 * Convolution by its definition: seven loops in float64. Images are [N, H, W, C], weights [KH, KW, C / groups, O].
 * @module
 */

/** Sizes of a convolution; `stride`, `padding` and `groups` as PyTorch's `Conv2d` has them. */
export interface Conv2dSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly o: number;
  readonly kh: number;
  readonly kw: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
}

/** Height and width of the output. */
export function conv2dOutput({ h, w, kh, kw, stride, padding }: Conv2dSizes): { oh: number; ow: number } {
  return {
    oh: Math.floor((h + 2 * padding - kh) / stride) + 1,
    ow: Math.floor((w + 2 * padding - kw) / stride) + 1,
  };
}

/** Calls `visit(x index, weight index, y index)` for every product of the sum; indices outside the image are left out. */
function eachProduct(s: Conv2dSizes, visit: (x: number, weight: number, y: number) => void): void {
  const { oh, ow } = conv2dOutput(s);
  const perGroup = s.c / s.groups, outPerGroup = s.o / s.groups;
  for (let n = 0; n < s.n; n++) {
    for (let p = 0; p < oh * ow; p++) {
      const top = Math.floor(p / ow) * s.stride - s.padding, left = (p % ow) * s.stride - s.padding;
      for (let kh = Math.max(0, -top); kh < Math.min(s.kh, s.h - top); kh++) {
        for (let kw = Math.max(0, -left); kw < Math.min(s.kw, s.w - left); kw++) {
          const pixel = ((n * s.h + top + kh) * s.w + left + kw) * s.c;
          for (let i = 0; i < perGroup; i++) {
            const weight = ((kh * s.kw + kw) * perGroup + i) * s.o;
            for (let o = 0; o < s.o; o++) {
              const group = Math.floor(o / outPerGroup);
              visit(pixel + group * perGroup + i, weight + o, (n * oh * ow + p) * s.o + o);
            }
          }
        }
      }
    }
  }
}

/** y [N, OH, OW, O] = x convolved with weight, plus bias [O]. */
export function conv2dForward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  s: Conv2dSizes,
): Float64Array {
  const { oh, ow } = conv2dOutput(s);
  const y = Float64Array.from({ length: s.n * oh * ow * s.o }, (_, i) => bias[i % s.o]!);
  eachProduct(s, (ix, iw, iy) => y[iy]! += x[ix]! * weight[iw]!);
  return y;
}

/** Gradients of sum(dy * y) by x, weight and bias. */
export function conv2dBackward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  s: Conv2dSizes,
): { dx: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const dx = new Float64Array(x.length), dWeight = new Float64Array(weight.length);
  eachProduct(s, (ix, iw, iy) => {
    dx[ix]! += dy[iy]! * weight[iw]!;
    dWeight[iw]! += dy[iy]! * x[ix]!;
  });
  const dBias = new Float64Array(s.o);
  for (let i = 0; i < dy.length; i++) dBias[i % s.o]! += dy[i]!;
  return { dx, dWeight, dBias };
}
