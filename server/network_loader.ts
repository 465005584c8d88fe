/**
 * Opens real checkpoints in the GPU's worker: the only file here that leads to GPU code, and only the worker imports it.
 * @module
 */
import { loadClassifier as load } from "../model/classifier.ts";
import type { LoadClassifier } from "./gpu_messages.ts";

/** A classifier on a device of its own, with plans for every power of two up to `maxBatch` built. */
export const loadClassifier: LoadClassifier = async (path, { maxBatch }) => {
  const classifier = await load(path, { maxBatch });
  const sizes = [maxBatch];
  for (let size = 1; size < maxBatch; size *= 2) sizes.push(size);
  try {
    await classifier.warm(sizes);
  } catch (error) {
    await classifier.close();
    throw error;
  }
  return classifier;
};
