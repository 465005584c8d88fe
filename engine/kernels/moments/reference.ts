/**
 * Means and standard deviations of channels in plain float64 loops.
 * @module
 */

/** [N, pixels, C] -> [N, 2, C]. */
export function moments(x: ArrayLike<number>, N: number, pixels: number, C: number): Float64Array {
  const y = new Float64Array(N * 2 * C);
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      let sum = 0, squares = 0;
      for (let p = 0; p < pixels; p++) sum += x[(n * pixels + p) * C + c]!;
      const mean = sum / pixels;
      for (let p = 0; p < pixels; p++) squares += (x[(n * pixels + p) * C + c]! - mean) ** 2;
      y[2 * n * C + c] = mean;
      y[(2 * n + 1) * C + c] = Math.sqrt(squares / pixels);
    }
  }
  return y;
}
