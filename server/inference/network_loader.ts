/**
 * Opens real checkpoints in the GPU's worker: the only file here that leads to GPU code, and only the worker imports it.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { requestTunedGpu } from "../../model/tuned_gpu.ts";
import { loadClassifier as load } from "../../model/inference/classifier.ts";
import type { LoadClassifier } from "../workers/gpu_messages.ts";

/** One device for all models: drivers keep some memory of every device that ever was, and reloads would add up. */
let device: Promise<Gpu> | undefined;

/** A classifier with plans for every power of two up to `maxBatch` built. */
export const loadClassifier: LoadClassifier = async (path, { maxBatch }) => {
  device ??= requestTunedGpu({ onNote: (text) => console.error(text) });
  const classifier = await load(path, { maxBatch, gpu: await device });
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
