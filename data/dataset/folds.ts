/**
 * Cross-validation: a data set's training and validation photos in parts, each of which is the validation photos of one run.
 * @module
 */
import type { Dataset, ListedPhoto } from "./folder.ts";
import { byHash } from "./sampler.ts";

/** One part of several. */
export interface Fold {
  /** Which one, counted from 1. */
  readonly fold: number;
  /** How many there are, at least 2. */
  readonly folds: number;
  /** Decides what is in which. */
  readonly seed: number;
}

/**
 * The data set of one fold: its validation photos are every `folds`-th of each class in the order of the names' hashes, its training photos
 * the others. Test photos are in no fold, and of none: what is chosen by cross-validation may still be tested on them.
 */
export function foldOf(dataset: Dataset, { fold, folds, seed }: Fold): Dataset {
  const { train, valid } = dataset.splits;
  const place = new Map<ListedPhoto, number>();
  for (const members of Map.groupBy([...train, ...valid], (photo) => photo.class).values()) {
    byHash(members, seed).forEach((photo, i) => place.set(photo, i % folds + 1));
  }
  // In the data set's own order, as every split is.
  const order = (a: ListedPhoto, b: ListedPhoto) => a.label - b.label || (a.path < b.path ? -1 : 1);
  const all = [...place.keys()].sort(order);
  return {
    ...dataset,
    splits: {
      train: all.filter((photo) => place.get(photo) !== fold),
      valid: all.filter((photo) => place.get(photo) === fold),
      test: [],
    },
    origin: `fold ${fold} of ${folds}`,
  };
}
