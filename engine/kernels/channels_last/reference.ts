/**
 * Reordering of channels in plain loops.
 * @module
 */

/** [N, C, PIXELS] -> [N, PIXELS, C]. */
export function channelsLast(x: Float32Array, N: number, C: number, pixels: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      for (let p = 0; p < pixels; p++) y[(n * pixels + p) * C + c] = x[(n * C + c) * pixels + p]!;
    }
  }
  return y;
}
