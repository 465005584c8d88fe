/**
 * What a data set needs before it can be trained on.
 * @module
 */
import type { Dataset } from "./folder.ts";
import { DataError } from "./listing.ts";
import { lookalikeHint, withoutClasses } from "./names.ts";

/** Throws a `DataError` unless every class has a training photo, one that can be `decoded` where that was tried. */
export function requireClasses({ dir, classes, splits }: Dataset, decoded = false): void {
  const trained = new Set(splits.train.map((sample) => sample.label));
  const without = classes.filter((_, label) => !trained.has(label));
  if (without.length === 0) return;
  const them = without.length > 1;
  const kind = decoded ? "training image that can be decoded" : "training image";
  const mend = decoded ? `convert ${them ? "their" : "its"} files` : `give ${them ? "them" : "it"} some`;
  const some = without.slice(0, 8).map((name) => `"${name}"`).join(", ");
  const which = some + (without.length > 8 ? `, … and ${without.length - 8} more` : "");
  throw new DataError(
    `Cannot train on ${dir}: ${
      without.length > 1 ? `classes ${which} have` : `class ${which} has`
    } no ${kind}${lookalikeHint(without[0]!, classes) || withoutClasses(without, classes, mend)}`,
  );
}

/** Throws a `DataError` unless every class has a training photo and the training split fills one batch. */
export function requireBatch(dataset: Dataset, batchSize: number): void {
  requireClasses(dataset);
  const count = dataset.splits.train.length;
  if (count < batchSize) {
    throw new DataError(
      `Cannot train on ${dataset.name}: it has ${count} training images, expected at least one batch of ${batchSize}`,
    );
  }
}
