/**
 * Distillation in plain float64 loops.
 * @module
 */

/** How far predictions are from targets, for each row. */
export interface Divergence {
  /** -sum p log q. */
  readonly crossEntropy: number;
  /** sum p log(p / q). */
  readonly divergence: number;
  /** -sum p log p. */
  readonly entropy: number;
}

/** softmax(logits / temperature) of one row. */
export function softmaxAt(logits: readonly number[], temperature: number): number[] {
  const top = Math.max(...logits);
  const powers = logits.map((z) => Math.exp((z - top) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** Of targets p and softmax(logits / temperature). */
export function divergenceOf(
  p: readonly number[],
  logits: readonly number[],
  temperature: number,
): Divergence {
  const top = Math.max(...logits);
  const logSum = Math.log(logits.reduce((sum, z) => sum + Math.exp((z - top) / temperature), 0));
  let crossEntropy = 0, entropy = 0;
  p.forEach((share, c) => {
    if (share <= 0) return;
    crossEntropy -= share * ((logits[c]! - top) / temperature - logSum);
    entropy -= share * Math.log(share);
  });
  return { crossEntropy, divergence: crossEntropy - entropy, entropy };
}

/** T^2 KL(softmax(teacher / T) || softmax(logits / T)) of one row, and its gradient with respect to the logits. */
export function distillRow(
  logits: readonly number[],
  teacher: readonly number[],
  temperature: number,
): Divergence & { readonly loss: number; readonly dLogits: readonly number[] } {
  const p = softmaxAt(teacher, temperature), q = softmaxAt(logits, temperature);
  const parts = divergenceOf(p, logits, temperature);
  return {
    ...parts,
    loss: temperature ** 2 * parts.divergence,
    dLogits: q.map((value, c) => temperature * (value - p[c]!)),
  };
}
