/**
 * Softmax, cross-entropy and their gradient in plain float64 loops.
 * @module
 */

/** What PyTorch's `cross_entropy` may be told; N rows, C classes. */
export interface LossOptions {
  /** Class indices [N]; a row with `ignore` does not count. Either this or `soft`. */
  readonly labels?: ArrayLike<number>;
  /** Probabilities [N, C]; a row that is all zero does not count. */
  readonly soft?: ArrayLike<number>;
  /** The label that leaves a row out; default -100. */
  readonly ignore?: number;
  /** Weight of each class [C]; default all 1. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Share of the target that is spread evenly over the classes; default 0. */
  readonly smoothing?: number | undefined;
}

/** Results of the loss; `rowLosses` are before the division of the mean. */
export interface LossResult {
  readonly loss: number;
  readonly rowLosses: Float64Array;
  readonly probabilities: Float64Array;
  readonly dLogits: Float64Array;
  /** Rows whose first largest logit is the label (or the first largest target). */
  readonly hits: number;
  readonly counted: number;
}

/** Mean cross-entropy of logits [N, C] with its gradient. 0 and no gradient where no row counts (PyTorch: NaN). */
export function softmaxCrossEntropy(
  logits: ArrayLike<number>,
  classes: number,
  options: LossOptions,
): LossResult {
  const { labels, soft, ignore = -100, weights, smoothing = 0 } = options;
  const rows = logits.length / classes;
  const probabilities = new Float64Array(logits.length), dLogits = new Float64Array(logits.length);
  const rowLosses = new Float64Array(rows);
  const weight = (c: number) => weights?.[c] ?? 1;
  let denominator = 0, hits = 0, counted = 0;
  for (let row = 0; row < rows; row++) {
    const at = row * classes;
    const z = Array.from({ length: classes }, (_, c) => logits[at + c]!);
    const top = Math.max(...z);
    const sum = z.reduce((s, v) => s + Math.exp(v - top), 0);
    const target = z.map((_, c) => labels ? Number(labels[row] === c) : soft![at + c]!);
    const counts = labels ? labels[row] !== ignore : target.some((p) => p !== 0);
    if (counts) {
      counted++;
      denominator += labels ? weight(labels[row]!) : 1;
      hits += Number(z.indexOf(top) === target.indexOf(Math.max(...target)));
    }
    const wp = target.map((p, c) => counts ? weight(c) * (p * (1 - smoothing) + smoothing / classes) : 0);
    const mass = wp.reduce((a, b) => a + b, 0);
    for (let c = 0; c < classes; c++) {
      const q = Math.exp(z[c]! - top) / sum;
      probabilities[at + c] = q;
      dLogits[at + c] = q * mass - wp[c]!;
      if (wp[c] !== 0) rowLosses[row]! += wp[c]! * (Math.log(sum) - (z[c]! - top));
    }
  }
  const scale = denominator > 0 ? 1 / denominator : 0;
  return {
    loss: rowLosses.reduce((a, b) => a + b, 0) * scale,
    rowLosses,
    probabilities,
    dLogits: dLogits.map((d) => d * scale),
    hits,
    counted,
  };
}
