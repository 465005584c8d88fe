/**
 * PyTorch's optimisers, one step on plain arrays. `t` counts steps from 1; `state` starts as zeros of p's length.
 * @module
 */

/** torch.optim.SGD, dampening 0. */
export function sgd(
  p: Float64Array,
  gradient: ArrayLike<number>,
  state: { velocity: Float64Array },
  o: {
    lr: number;
    momentum?: number | undefined;
    weightDecay?: number | undefined;
    nesterov?: boolean | undefined;
  },
): void {
  const { lr, momentum = 0, weightDecay = 0, nesterov = false } = o;
  for (let i = 0; i < p.length; i++) {
    const g = gradient[i]! + weightDecay * p[i]!;
    const v = state.velocity[i] = momentum * state.velocity[i]! + g;
    p[i]! -= lr * (nesterov ? g + momentum * v : v);
  }
}

/** torch.optim.Adam, or AdamW where `decoupled`. */
export function adam(
  p: Float64Array,
  gradient: ArrayLike<number>,
  state: { mean: Float64Array; square: Float64Array },
  t: number,
  o: {
    lr: number;
    betas?: readonly number[] | undefined;
    eps?: number | undefined;
    weightDecay?: number | undefined;
    decoupled?: boolean | undefined;
  },
): void {
  const { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0, decoupled = false } = o;
  const [b1, b2] = betas as [number, number];
  for (let i = 0; i < p.length; i++) {
    if (decoupled) p[i]! -= lr * weightDecay * p[i]!;
    const g = gradient[i]! + (decoupled ? 0 : weightDecay * p[i]!);
    const m = state.mean[i] = b1 * state.mean[i]! + (1 - b1) * g;
    const v = state.square[i] = b2 * state.square[i]! + (1 - b2) * g * g;
    p[i]! -= lr * (m / (1 - b1 ** t)) / (Math.sqrt(v / (1 - b2 ** t)) + eps);
  }
}

/** torch.optim.RMSprop, not centred. */
export function rmsprop(
  p: Float64Array,
  gradient: ArrayLike<number>,
  state: { square: Float64Array; velocity: Float64Array },
  o: {
    lr: number;
    alpha?: number | undefined;
    eps?: number | undefined;
    weightDecay?: number | undefined;
    momentum?: number | undefined;
  },
): void {
  const { lr, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0 } = o;
  for (let i = 0; i < p.length; i++) {
    const g = gradient[i]! + weightDecay * p[i]!;
    const s = state.square[i] = alpha * state.square[i]! + (1 - alpha) * g * g;
    const v = state.velocity[i] = momentum * state.velocity[i]! + g / (Math.sqrt(s) + eps);
    p[i]! -= lr * v;
  }
}

/** torch.optim.Adagrad. */
export function adagrad(
  p: Float64Array,
  gradient: ArrayLike<number>,
  state: { sum: Float64Array },
  t: number,
  o: { lr: number; lrDecay?: number | undefined; eps?: number | undefined; weightDecay?: number | undefined },
): void {
  const { lr, lrDecay = 0, eps = 1e-10, weightDecay = 0 } = o;
  for (let i = 0; i < p.length; i++) {
    const g = gradient[i]! + weightDecay * p[i]!;
    const s = state.sum[i]! += g * g;
    p[i]! -= lr / (1 + (t - 1) * lrDecay) * g / (Math.sqrt(s) + eps);
  }
}

/** Factor of torch.nn.utils.clip_grad_norm_: min(1, maxNorm / (norm + 1e-6)), and the norm over all gradients. */
export function clipFactor(
  gradients: readonly ArrayLike<number>[],
  maxNorm: number,
): { norm: number; factor: number } {
  let sum = 0;
  for (const g of gradients) for (let i = 0; i < g.length; i++) sum += g[i]! ** 2;
  const norm = Math.sqrt(sum);
  return { norm, factor: Math.min(1, maxNorm / (norm + 1e-6)) };
}
