/**
 * Convolution by its definition: seven loops in float64. Images are [N, H, W, C], weights [KH, KW, C / groups, O].
 * @module
 */

/** Sizes of a convolution, with the meaning of PyTorch's `Conv2d`; pairs are [height, width], `padding` [top, left, bottom, right]. */
export interface Conv2dSizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly o: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Height and width of the output. */
export function conv2dOutput(s: Conv2dSizes): { oh: number; ow: number } {
  const {
    h,
    w,
    kernel: [kh, kw],
    stride: [sh, sw],
    padding: [top, left, bottom, right],
    dilation: [dh, dw],
  } = s;
  return {
    oh: Math.floor((h + top + bottom - dh * (kh - 1) - 1) / sh) + 1,
    ow: Math.floor((w + left + right - dw * (kw - 1) - 1) / sw) + 1,
  };
}

/** Calls `visit(x index, weight index, y index)` for every product of the sum; indices outside the image are left out. */
function eachProduct(s: Conv2dSizes, visit: (x: number, weight: number, y: number) => void): void {
  const { oh, ow } = conv2dOutput(s), [kernelH, kernelW] = s.kernel;
  const perGroup = s.c / s.groups, outPerGroup = s.o / s.groups;
  for (let n = 0; n < s.n; n++) {
    for (let p = 0; p < oh * ow; p++) {
      const top = Math.floor(p / ow) * s.stride[0] - s.padding[0],
        left = (p % ow) * s.stride[1] - s.padding[1];
      for (let kh = 0; kh < kernelH; kh++) {
        const row = top + kh * s.dilation[0];
        if (row < 0 || row >= s.h) continue;
        for (let kw = 0; kw < kernelW; kw++) {
          const column = left + kw * s.dilation[1];
          if (column < 0 || column >= s.w) continue;
          const pixel = ((n * s.h + row) * s.w + column) * s.c;
          for (let i = 0; i < perGroup; i++) {
            const weight = ((kh * kernelW + kw) * perGroup + i) * s.o;
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

/** y [N, OH, OW, O] = x convolved with weight, plus bias [O] if there is one. */
export function conv2dForward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  s: Conv2dSizes,
): Float64Array {
  const { oh, ow } = conv2dOutput(s);
  const y = Float64Array.from({ length: s.n * oh * ow * s.o }, (_, i) => bias?.[i % s.o] ?? 0);
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
