/**
 * Which samples make which batch: a pure function of (seed, epoch), so a resumed run sees what it would have seen.
 * @module
 */
import { shuffle } from "../../engine/random.ts";

/** How many full batches `count` samples give; the rest of an epoch is left out. */
export function trainingBatchCount(count: number, batchSize: number): number {
  check(count, batchSize);
  return Math.floor(count / batchSize);
}

/** An epoch of training: full batches of indices below `count`, shuffled anew each epoch, the incomplete last one left out. */
export function trainingBatches(
  count: number,
  batchSize: number,
  seed: number,
  epoch: number,
): Uint32Array[] {
  const order = shuffle(count, seed, epoch);
  const batches = trainingBatchCount(count, batchSize);
  return Array.from({ length: batches }, (_, b) => order.subarray(b * batchSize, (b + 1) * batchSize));
}

/** Every index below `count` once, in order; the last batch may be shorter. */
export function evaluationBatches(count: number, batchSize: number): Uint32Array[] {
  check(count, batchSize);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const batches = Math.ceil(count / batchSize);
  return Array.from({ length: batches }, (_, b) => order.subarray(b * batchSize, (b + 1) * batchSize));
}

function check(count: number, batchSize: number): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`Cannot make batches: got ${count} samples, expected a whole number from 0`);
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new RangeError(
      `Cannot make batches: got a batch size of ${batchSize}, expected a whole number from 1`,
    );
  }
}
