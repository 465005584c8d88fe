/**
 * Classifiers from checkpoints, on a device of their own unless they are given one.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { type Checkpoint, loadCheckpoint } from "../checkpoint/checkpoint.ts";
import { requestTunedGpu } from "../tuned_gpu.ts";
import { NetworkClassifier, type NetworkClassifierOptions } from "./classifier.ts";

/** What `loadClassifier` may be told. */
export interface ClassifierOptions extends NetworkClassifierOptions {
  /** A device to use (and leave open on close); default: a new one of its own. */
  readonly gpu?: Gpu;
}

/** Loads a checkpoint file into inference mode. Throws `CheckpointError` for a bad file. */
export async function loadClassifier(
  path: string,
  options: ClassifierOptions = {},
): Promise<NetworkClassifier> {
  return await createClassifier(await loadCheckpoint(path), options);
}

/** The same from a checkpoint in memory. */
export async function createClassifier(
  checkpoint: Checkpoint,
  { gpu: given, ...options }: ClassifierOptions = {},
): Promise<NetworkClassifier> {
  if (given) return await NetworkClassifier.create(given, checkpoint, options);
  const gpu = await requestTunedGpu();
  using stack = new DisposableStack();
  stack.use(gpu);
  const classifier = await NetworkClassifier.create(gpu, checkpoint, options, () => gpu[Symbol.dispose]());
  stack.move();
  return classifier;
}
