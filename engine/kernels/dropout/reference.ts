/**
 * Dropout in plain loops, its random numbers passed in.
 * @module
 */

/** y = x / (1 - rate) where `uniform(i)` >= rate, else 0. `uniform` gives element i's number in [0, 1). */
export function dropout(
  x: ArrayLike<number>,
  rate: number,
  uniform: (index: number) => number,
): Float64Array {
  return Float64Array.from(x, (v, i) => uniform(i) >= rate ? v / (1 - rate) : 0);
}
