/**
 * Sums of two tensors by their definition, in float64.
 * @module
 */

/** y = a + b. */
export function addForward(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (v, i) => v + b[i]!);
}

/** y = (a + b) where x > 0, else 0. */
export function addMasked(a: ArrayLike<number>, b: ArrayLike<number>, x: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (v, i) => x[i]! > 0 ? v + b[i]! : 0);
}
