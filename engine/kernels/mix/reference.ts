/**
 * Mixing samples in plain float64 loops.
 * @module
 */

/** One sample's partner, its own weight outside the box, and the box. */
export interface MixedPair {
  readonly partner: number;
  readonly share: number;
  readonly box?:
    | { readonly x0: number; readonly y0: number; readonly x1: number; readonly y1: number }
    | undefined;
}

/** x [N, H, W, C] with each sample mixed. */
export function mixSamples(
  x: ArrayLike<number>,
  [N, H, W, C]: readonly [number, number, number, number],
  pairs: readonly MixedPair[],
): Float64Array {
  const y = new Float64Array(N * H * W * C);
  for (let i = 0; i < y.length; i++) {
    const n = Math.floor(i / (H * W * C)), inside = i - n * H * W * C;
    const row = Math.floor(inside / (W * C)), column = Math.floor(inside / C) % W;
    const { partner, share, box } = pairs[n]!;
    const boxed = box && column >= box.x0 && column < box.x1 && row >= box.y0 && row < box.y1;
    const own = boxed ? 0 : share;
    y[i] = own * x[i]! + (1 - own) * x[partner * H * W * C + inside]!;
  }
  return y;
}
