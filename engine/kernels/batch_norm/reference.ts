/**
 * Batch normalisation of x [rows, C] (NHWC with N, H and W as rows), as PyTorch's `BatchNorm2d`.
 * @module
 */

/** Statistics of each channel: mean and biased variance. */
export interface ChannelStatistics {
  readonly mean: ArrayLike<number>;
  readonly variance: ArrayLike<number>;
}

/** Mean and biased variance of each channel, in two passes. */
export function batchStatistics(
  x: ArrayLike<number>,
  channels: number,
): { mean: Float64Array; variance: Float64Array } {
  const rows = x.length / channels;
  const mean = new Float64Array(channels), variance = new Float64Array(channels);
  for (let i = 0; i < x.length; i++) mean[i % channels]! += x[i]! / rows;
  for (let i = 0; i < x.length; i++) variance[i % channels]! += (x[i]! - mean[i % channels]!) ** 2 / rows;
  return { mean, variance };
}

/** Running statistics after one training step: the batch's share is `momentum`, its variance unbiased. */
export function updateRunning(
  running: ChannelStatistics,
  batch: ChannelStatistics,
  rows: number,
  momentum: number,
): { mean: Float64Array; variance: Float64Array } {
  const mean = Float64Array.from(running.mean, (v, c) => (1 - momentum) * v + momentum * batch.mean[c]!);
  const variance = Float64Array.from(
    running.variance,
    (v, c) => (1 - momentum) * v + momentum * batch.variance[c]! * rows / (rows - 1),
  );
  return { mean, variance };
}

/** y = (x - mean) / sqrt(variance + eps) * weight + bias. */
export function batchNormForward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  { mean, variance }: ChannelStatistics,
  eps: number,
): Float64Array {
  const channels = weight.length;
  return Float64Array.from(x, (v, i) => {
    const c = i % channels;
    return (v - mean[c]!) / Math.sqrt(variance[c]! + eps) * weight[c]! + bias[c]!;
  });
}

/** Gradients of sum(dy * y). `training`: the statistics are x's own, so they depend on x. */
export function batchNormBackward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  { mean, variance }: ChannelStatistics,
  eps: number,
  training: boolean,
): { dx: Float64Array; dWeight: Float64Array; dBias: Float64Array } {
  const channels = weight.length, rows = x.length / channels;
  const scale = Float64Array.from(weight, (_, c) => 1 / Math.sqrt(variance[c]! + eps));
  const dWeight = new Float64Array(channels), dBias = new Float64Array(channels);
  const normal = Float64Array.from(x, (v, i) => (v - mean[i % channels]!) * scale[i % channels]!);
  for (let i = 0; i < x.length; i++) {
    dBias[i % channels]! += dy[i]!;
    dWeight[i % channels]! += dy[i]! * normal[i]!;
  }
  const dx = normal.map((v, i) => {
    const c = i % channels;
    const centred = training ? dy[i]! - dBias[c]! / rows - v * dWeight[c]! / rows : dy[i]!;
    return centred * weight[c]! * scale[c]!;
  });
  return { dx, dWeight, dBias };
}
