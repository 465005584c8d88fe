/**
 * Response normalisation over channels in plain float64 loops (Krizhevsky et al. 2012, section 3.3).
 * @module
 */

/** PyTorch's `LocalResponseNorm`: y_c = x_c (k + alpha / size * sum of x_j^2 over the window of c)^-beta. */
export interface LocalResponseNormOptions {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

/** The base of the power for each element; channel c's window is c - floor(size / 2) to c + floor((size - 1) / 2). */
function bases(x: ArrayLike<number>, channels: number, o: LocalResponseNormOptions): Float64Array {
  return Float64Array.from(x, (_, i) => {
    const c = i % channels;
    let sum = 0;
    for (let j = c - (o.size >> 1); j <= c + ((o.size - 1) >> 1); j++) {
      if (j >= 0 && j < channels) sum += x[i - c + j]! ** 2;
    }
    return o.k + o.alpha / o.size * sum;
  });
}

/** y of x, whose last dimension is `channels`. */
export function localResponseNormForward(
  x: ArrayLike<number>,
  channels: number,
  o: LocalResponseNormOptions,
): Float64Array {
  return bases(x, channels, o).map((base, i) => x[i]! * base ** -o.beta);
}

/** dx of sum(dy * y). */
export function localResponseNormBackward(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  channels: number,
  o: LocalResponseNormOptions,
): Float64Array {
  const base = bases(x, channels, o);
  const dx = base.map((b, i) => dy[i]! * b ** -o.beta);
  for (let i = 0; i < x.length; i++) {
    const c = i % channels;
    const slope = -2 * o.alpha * o.beta / o.size * dy[i]! * x[i]! * base[i]! ** (-o.beta - 1);
    for (let j = c - (o.size >> 1); j <= c + ((o.size - 1) >> 1); j++) {
      if (j >= 0 && j < channels) dx[i - c + j]! += slope * x[i - c + j]!;
    }
  }
  return dx;
}
