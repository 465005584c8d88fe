/**
 * How good a classifier is, from its logits: shares with their intervals, figures of each class, calibration.
 * @module
 */
import { probabilitiesOf } from "../model/inference/inference.ts";
import { calibrationError, type Confidence, crossEntropy } from "../training/evaluation/confidence.ts";
import { logitsOf, type Predictions } from "../training/evaluation/predictions.ts";

/** A range that a share lies in with 95 % confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** 97.5 % of a normal distribution lie below it. */
const Z = 1.959964;

/**
 * Wilson's 95 % interval of a share of `hits` in `n` (Wilson 1927): unlike that of the normal approximation it holds for few photos and for
 * shares near 0 and 1. Undefined where there is nothing to take a share of.
 */
export function wilson(hits: number, n: number): Interval | undefined {
  if (n === 0) return undefined;
  const p = hits / n, z2 = Z * Z / n;
  const centre = (p + z2 / 2) / (1 + z2);
  const half = Z / (1 + z2) * Math.sqrt(p * (1 - p) / n + z2 / (4 * n));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/**
 * Area under the ROC curve: the probability that a positive has a higher score than a negative, ties counting half (Mann and Whitney).
 * Undefined where one of them is missing.
 */
export function rocAuc(scores: ArrayLike<number>, positive: ArrayLike<boolean>): number | undefined {
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let ranks = 0, positives = 0;
  for (let i = 0; i < order.length;) {
    let end = i, among = 0;
    while (end < order.length && scores[order[end]!] === scores[order[i]!]) {
      if (positive[order[end++]!]) among++;
    }
    ranks += among * (i + end + 1) / 2; // equal scores share the mean of their ranks, which count from 1
    positives += among;
    i = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

/** A 95 % interval of an area under the ROC curve (Hanley and McNeil 1982). */
export function aucInterval(auc: number, positives: number, negatives: number): Interval {
  const q1 = auc / (2 - auc), q2 = 2 * auc * auc / (1 + auc);
  const variance = (auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) +
    (negatives - 1) * (q2 - auc * auc)) / (positives * negatives);
  const half = Z * Math.sqrt(Math.max(0, variance));
  return { low: Math.max(0, auc - half), high: Math.min(1, auc + half) };
}

/** Answers whose confidence lies in one range. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  /** How many. */
  readonly n: number;
  /** Mean confidence of them; NaN where there are none. */
  readonly confidence: number;
  /** Share of them that is right; NaN where there are none. */
  readonly accuracy: number;
}

/** How well confidences say how often a classifier is right. */
export interface Reliability {
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by their answers. */
  readonly ece: number;
}

/** Bins of equal width, as `calibrationError` has them. */
const BINS = 15;

/** Confidences by bins, and their error. */
export function reliability(confidences: readonly Confidence[]): Reliability {
  const bins = Array.from({ length: BINS }, (): Confidence[] => []);
  for (const one of confidences) bins[Math.min(BINS - 1, Math.floor(one.probability * BINS))]?.push(one);
  return {
    bins: bins.map((bin, k): ReliabilityBin => ({
      low: k / BINS,
      high: (k + 1) / BINS,
      n: bin.length,
      confidence: bin.reduce((sum, { probability }) => sum + probability, 0) / bin.length,
      accuracy: bin.filter(({ right }) => right).length / bin.length,
    })),
    ece: calibrationError(confidences),
  };
}

/** A share of something, and where it lies with 95 % confidence; of nothing both are undefined. */
export interface Share {
  readonly value: number | undefined;
  readonly interval: Interval | undefined;
}

const shareOf = (hits: number, n: number): Share => ({
  value: n > 0 ? hits / n : undefined,
  interval: wilson(hits, n),
});

/** How good a classifier is for one class. */
export interface ClassQuality {
  readonly class: string;
  /** Photos of it: its support. */
  readonly n: number;
  readonly precision: Share;
  readonly recall: Share;
  /** Harmonic mean of the two; undefined where neither photo nor answer is of it. */
  readonly f1: number | undefined;
  /** Area under the ROC curve of this class against the rest. */
  readonly auc: Share;
}

/** How good a classifier is. */
export interface Figures {
  readonly n: number;
  readonly accuracy: Share;
  /** Mean recall of the classes that have photos. */
  readonly balancedAccuracy: number;
  /** Mean F1 of the classes that have one. */
  readonly macroF1: number;
  /** Mean AUC of the classes that have one; undefined where none has. */
  readonly macroAuc: number | undefined;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** Share of photos whose class is among the `k` most probable, where there are more than 5 classes. */
  readonly top: readonly (Share & { readonly k: number })[];
  readonly perClass: readonly ClassQuality[];
  /** Rows are true classes, columns predicted ones. */
  readonly confusion: readonly (readonly number[])[];
  readonly reliability: Reliability;
}

/** The figures of some predictions, at least one; `temperature` divides the logits, which changes loss, calibration and AUC alone. */
export function figuresOf(predictions: Predictions, temperature = 1): Figures {
  const { classes, labels } = predictions, n = labels.length;
  const confusion = classes.map(() => classes.map(() => 0));
  const probabilities: Float32Array[] = [], ranks: number[] = [];
  const confidences: Confidence[] = [];
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const logits = logitsOf(predictions, i).map((value) => value / temperature), label = labels[i]!;
    const row = probabilitiesOf(logits), best = bestOf(logits);
    confusion[label]![best]!++;
    loss += crossEntropy(logits, label);
    probabilities.push(row);
    confidences.push({ probability: row[best]!, right: best === label });
    ranks.push(logits.reduce((above, value) => above + Number(value > logits[label]!), 0));
  }
  const perClass = classes.map((name, k) => qualityOf(name, k, confusion, probabilities, labels));
  const hits = confidences.filter(({ right }) => right).length;
  const ks = classes.length > 5 ? [3, 5, ...classes.length > 20 ? [10] : []] : [];
  return {
    n,
    accuracy: shareOf(hits, n),
    balancedAccuracy: mean(perClass.map(({ recall }) => recall.value)) ?? NaN,
    macroF1: mean(perClass.map(({ f1 }) => f1)) ?? NaN,
    macroAuc: mean(perClass.map(({ auc }) => auc.value)),
    loss: loss / n,
    top: ks.map((k) => ({ k, ...shareOf(ranks.filter((rank) => rank < k).length, n) })),
    perClass,
    confusion,
    reliability: reliability(confidences),
  };
}

function qualityOf(
  name: string,
  k: number,
  confusion: readonly (readonly number[])[],
  probabilities: readonly Float32Array[],
  labels: Uint32Array,
): ClassQuality {
  const n = confusion[k]!.reduce((a, b) => a + b, 0),
    answers = confusion.reduce((sum, row) => sum + row[k]!, 0);
  const hits = confusion[k]![k]!;
  const value = rocAuc(probabilities.map((row) => row[k]!), Array.from(labels, (label) => label === k));
  return {
    class: name,
    n,
    precision: shareOf(hits, answers),
    recall: shareOf(hits, n),
    f1: n + answers > 0 ? 2 * hits / (n + answers) : undefined,
    auc: { value, interval: value === undefined ? undefined : aucInterval(value, n, labels.length - n) },
  };
}

/** The place of the largest value, the first of equal ones. */
export function bestOf(values: Float32Array): number {
  return Math.max(0, values.indexOf(values.reduce((a, b) => Math.max(a, b), -Infinity)));
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : undefined;
}
