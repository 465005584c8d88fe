/** @module */
import type { PhotoSource } from "./photo_source.ts";

/** Weights that give each class the same share of the loss: photos / (classes * photos of the class). 1 for an empty class. */
export function balancedWeights(source: PhotoSource, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const { label } of source.entries) counts[label]!++;
  return counts.map((count) => count > 0 ? source.entries.length / (classes * count) : 1);
}
