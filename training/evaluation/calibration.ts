/**
 * Honest probabilities: the temperature that a network's logits need.
 * @module
 */
import type { Calibration } from "../../model/checkpoint/card.ts";
import { calibrationError, confidenceOf, crossEntropy } from "./confidence.ts";
import { logitsOf, type Predictions } from "./predictions.ts";

/** Parts that the photos are cut into, so that each is measured at a temperature which was chosen without it. */
const FOLDS = 5;

/** Temperatures that are looked at, as logarithms: beyond them a network knows nothing, or everything. */
const LOWEST = Math.log(0.05), HIGHEST = Math.log(20);

/** How close the logarithm of a temperature is to the best one's. */
const CLOSE = 1e-4;

/**
 * The temperature with the least cross-entropy on some photos (Guo et al. 2017), by golden sections of its logarithm: the loss has one
 * minimum in it. Where all are right at any temperature that is the lowest that is looked at.
 */
export function fitTemperature(
  predictions: Predictions,
  photos: readonly number[] = [...predictions.labels.keys()],
): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  const loss = (x: number) => {
    const temperature = Math.exp(x);
    return photos.reduce(
      (sum, i) => sum + crossEntropy(logitsOf(predictions, i), predictions.labels[i]!, temperature),
      0,
    );
  };
  let low = LOWEST, high = HIGHEST;
  let a = high - golden * (high - low), b = low + golden * (high - low), ofA = loss(a), ofB = loss(b);
  while (high - low > CLOSE) {
    if (ofA <= ofB) {
      [high, b, ofB] = [b, a, ofA];
      a = high - golden * (high - low);
      ofA = loss(a);
    } else {
      [low, a, ofA] = [a, b, ofB];
      b = low + golden * (high - low);
      ofB = loss(b);
    }
  }
  return Math.exp((low + high) / 2);
}

/**
 * The temperature for a network's logits, chosen on photos that it was not trained on, and the calibration error without and with it.
 * Throws a `RangeError` for fewer than five photos.
 */
export function calibrate(predictions: Predictions): Calibration {
  const photos = [...predictions.labels.keys()];
  if (photos.length < FOLDS) {
    throw new RangeError(`Cannot calibrate on ${photos.length} photos: wanted at least ${FOLDS}`);
  }
  const confidences = (some: readonly number[], temperature: number) =>
    some.map((i) => confidenceOf(logitsOf(predictions, i), predictions.labels[i]!, temperature));
  // Neighbours in the list are often alike and of one class: every fifth photo makes a part.
  const held = Array.from({ length: FOLDS }, (_, k) => {
    const [part, others] = [photos.filter((i) => i % FOLDS === k), photos.filter((i) => i % FOLDS !== k)];
    return confidences(part, fitTemperature(predictions, others));
  });
  return {
    temperature: fitTemperature(predictions),
    photos: photos.length,
    eceBefore: calibrationError(confidences(photos, 1)),
    eceAfter: calibrationError(held.flat()),
  };
}
