/**
 * ReLU in plain loops.
 * @module
 */

/** y = max(x, 0). */
export function reluForward(x: ArrayLike<number>): Float64Array {
  return Float64Array.from(x, (v) => v > 0 ? v : 0);
}

/** dx = dy where x > 0, else 0; the subgradient at 0 is 0, as PyTorch's. */
export function reluBackward(x: ArrayLike<number>, dy: ArrayLike<number>): Float64Array {
  return Float64Array.from(dy, (v, i) => x[i]! > 0 ? v : 0);
}
