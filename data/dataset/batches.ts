/**
 * Which samples make which batch, a pure function of (seed, epoch), so that a resumed run sees what it would have seen.
 * @module
 */
import { shuffle, Stream } from "../../engine/random.ts";

/** How many batches `count` samples give; the last one is filled up, see `trainingBatches`. */
export function trainingBatchCount(count: number, batchSize: number): number {
  check(count, batchSize);
  return Math.ceil(count / batchSize);
}

/**
 * An epoch of training: every index below `count` at least once, shuffled anew each epoch. Where the last batch is not full it is filled
 * up with the samples that the epoch began with, so that each batch has `batchSize` different ones; which are seen twice follows from the
 * epoch's own shuffle. Where there are fewer samples than that, one batch of all of them. With `accumulate` an item is the samples of a
 * step, which are up to that many batches one after the other. `order`: another order of the epoch than its shuffle, as long.
 */
export function trainingBatches(
  count: number,
  batchSize: number,
  seed: number,
  epoch: number,
  accumulate = 1,
  order: Uint32Array = shuffle(count, seed, epoch),
): Uint32Array[] {
  const batches = trainingBatchCount(count, batchSize);
  const total = count < batchSize ? count : batches * batchSize;
  // Past its end the order begins again.
  const drawn = Uint32Array.from({ length: total }, (_, i) => order[i % count]!);
  const size = batchSize * accumulate;
  return Array.from(
    { length: Math.ceil(batches / accumulate) },
    (_, b) => drawn.subarray(b * size, (b + 1) * size),
  );
}

/**
 * The samples of an epoch of `labels.length` in random order, as many of every class that has any (give or take one): where a class has
 * fewer than its part they repeat, each as often as the others give or take once, and where it has more some are left out of the epoch.
 */
export function balancedOrder(labels: readonly number[], seed: number, epoch: number): Uint32Array {
  const classes = [...Map.groupBy(labels.keys(), (index) => labels[index]!)].sort(([a], [b]) => a - b);
  const chosen: number[] = [];
  // Which classes get the one that is left over changes from epoch to epoch.
  const extra = labels.length % classes.length, turn = shuffle(classes.length, seed, epoch, Stream.sampling);
  classes.forEach(([label, members], k) => {
    const wanted = Math.floor(labels.length / classes.length) + Number(turn[k]! < extra);
    // A class's own order, whatever other classes there are.
    const order = shuffle(members.length, seed, epoch, Stream.sampling + (label + 1) * 256);
    for (let i = 0; i < wanted; i++) chosen.push(members[order[i % members.length]!]!);
  });
  return shuffle(chosen.length, seed, epoch).map((place) => chosen[place]!);
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
