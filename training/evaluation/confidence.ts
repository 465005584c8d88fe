/**
 * How sure predictions are, and how far that is from how often they are right.
 * @module
 */
import { probabilitiesOf } from "../../model/inference/inference.ts";

/** Bins of confidence that the calibration error is measured in, as Guo et al. 2017 have them. */
const BINS = 15;

/** How sure a prediction was of its class, and whether it was right. */
export interface Confidence {
  /** The probability of the most probable class. */
  readonly probability: number;
  /** Whether that was the right one. */
  readonly right: boolean;
}

/** How sure a row of logits is at a temperature, and whether it is right. */
export function confidenceOf(logits: Float32Array, label: number, temperature = 1): Confidence {
  const probabilities = probabilitiesOf(logits, temperature);
  const top = probabilities.reduce((a, b) => Math.max(a, b), -Infinity);
  return { probability: top, right: probabilities.indexOf(top) === label };
}

/**
 * The expected calibration error of 15 equal bins of confidence: the mean, over photos, of the distance between their bin's accuracy and
 * its mean confidence (Naeini, Cooper and Hauskrecht 2015). NaN without photos.
 */
export function calibrationError(confidences: readonly Confidence[]): number {
  const sums = new Float64Array(BINS);
  for (const { probability, right } of confidences) {
    const bin = Math.min(BINS - 1, Math.floor(probability * BINS));
    if (bin >= 0) sums[bin]! += Number(right) - probability;
  }
  return sums.reduce((sum, gap) => sum + Math.abs(gap), 0) / confidences.length;
}

/** -log softmax(logits / temperature)[label], in float64. */
export function crossEntropy(logits: Float32Array, label: number, temperature = 1): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, v) => total + Math.exp((v - top) / temperature), 0);
  return Math.log(sum) - (logits[label]! - top) / temperature;
}
