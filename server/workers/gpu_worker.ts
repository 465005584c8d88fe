/**
 * The GPU's worker: the only file of the server that leads to GPU code, and nothing imports it; a `GpuHost` starts it.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { requestTunedGpu } from "../../model/tuned_gpu.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { createClassifier } from "../../model/inference/load.ts";
import { serveClassifiers } from "./gpu_thread.ts";

/** One device for all models: drivers keep some memory of every device that ever was, and reloads would add up. */
let device: Promise<Gpu> | undefined;

serveClassifiers(async (path, { maxBatch }, pause) => {
  const checkpoint = await loadCheckpoint(path); // a file that cannot be read needs no device
  await pause();
  device ??= requestTunedGpu({ onNote: (text) => console.error(text) }).catch((error) => {
    device = undefined; // the next load asks again
    throw error;
  });
  const classifier = await createClassifier(checkpoint, { maxBatch, gpu: await device, pause });
  // Plans for every power of two up to `maxBatch`.
  const sizes = [maxBatch];
  for (let size = 1; size < maxBatch; size *= 2) sizes.push(size);
  try {
    await classifier.warm(sizes, pause);
  } catch (error) {
    await classifier.close();
    throw error;
  }
  return classifier;
});
