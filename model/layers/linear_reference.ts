/** @module */

/** Sizes of a linear layer: x is [N, inputs], weight [inputs, outputs], y [N, outputs]. */
export interface LinearSizes {
  readonly n: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** y = x * weight + bias. */
export function linearForward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  { n, inputs, outputs }: LinearSizes,
): Float64Array {
  const y = new Float64Array(n * outputs);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * weight[i * outputs + o]!;
      y[row * outputs + o] = sum;
    }
  }
  return y;
}

/** Gradients of sum(dy * y) by x, weight and bias. */
export function linearBackward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  { n, inputs, outputs }: LinearSizes,
): { dx: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const dx = new Float64Array(n * inputs), dWeight = new Float64Array(inputs * outputs);
  const dBias = new Float64Array(outputs);
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < outputs; o++) {
      const d = dy[row * outputs + o]!;
      dBias[o]! += d;
      for (let i = 0; i < inputs; i++) {
        dx[row * inputs + i]! += d * weight[i * outputs + o]!;
        dWeight[i * outputs + o]! += d * x[row * inputs + i]!;
      }
    }
  }
  return { dx, dWeight, dBias };
}
