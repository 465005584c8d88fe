/**
 * Which photo belongs to which split, a pure function of the seed and the names, and which samples make which batch, a pure function of
 * (seed, epoch), so that a resumed run sees what it would have seen.
 * @module
 */
import type { FoundPhoto, SplitName } from "./listing.ts";
import { shuffle, Stream } from "../../engine/random.ts";

/** The parts that validation and test get; training gets the rest. */
export interface Shares {
  /** 0 to under 1. */
  readonly valid: number;
  /** 0 to under 1. */
  readonly test: number;
}

/**
 * Gives each class's photos to the splits in these shares, at least one photo to each split that gets any while the class
 * has enough; a class's only photo is for training. The order of `photos` is kept.
 */
export function seededSplit(
  photos: readonly { class: string; path: string }[],
  seed: number,
  shares: Shares,
): FoundPhoto[] {
  const byClass = Map.groupBy(photos.keys(), (i) => photos[i]!.class);
  const splits = new Array<SplitName>(photos.length).fill("train");
  for (const [name, members] of byClass) {
    // A class keeps its split when other classes come or go.
    const order = shuffle(members.length, seed ^ hashName(name), 0, Stream.split);
    const valid = part(members.length, shares.valid, 1);
    const test = part(members.length, shares.test, 2);
    for (let i = 0; i < valid + test; i++) splits[members[order[i]!]!] = i < valid ? "valid" : "test";
  }
  return photos.map((photo, i) => ({ ...photo, split: splits[i]! }));
}

function part(count: number, share: number, spared: number): number {
  if (share === 0 || count <= spared) return 0;
  return Math.max(1, Math.round(count * share));
}

/** FNV-1a over UTF-16 code units. */
function hashName(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h;
}

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
