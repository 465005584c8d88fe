/**
 * Classifiers from what a page can fetch or is given.
 * @module
 */
import { decodeCheckpoint } from "../model/checkpoint/encoding.ts";
import { CheckpointError } from "../model/checkpoint/error.ts";
import { NetworkClassifier, type NetworkClassifierOptions } from "../model/inference/classifier.ts";
import { Gpu } from "./gpu.ts";

/** Where a checkpoint's bytes come from. */
export type CheckpointSource = Uint8Array | ArrayBuffer | Blob | URL;

/** What `loadClassifier` may be told. */
export interface ClassifierOptions extends NetworkClassifierOptions {
  /** A device to use (and leave open on close); default: a new one of its own. */
  readonly gpu?: Gpu | undefined;
}

/**
 * Loads a checkpoint, as `train` writes it, into inference mode. Throws a `CheckpointError` for one that cannot be fetched or used, and a
 * `GpuUnavailableError` where there is no WebGPU.
 */
export async function loadClassifier(
  source: CheckpointSource,
  { gpu: given, ...options }: ClassifierOptions = {},
): Promise<NetworkClassifier> {
  const { bytes, name } = await readCheckpoint(source);
  const checkpoint = decodeCheckpoint(bytes, name);
  if (given) return await NetworkClassifier.create(given, checkpoint, options);
  const gpu = await Gpu.request();
  try {
    return await NetworkClassifier.create(gpu, checkpoint, options, () => gpu[Symbol.dispose]());
  } catch (error) {
    gpu[Symbol.dispose]();
    throw error;
  }
}

/** A checkpoint's bytes, and what errors call them. Throws a `CheckpointError` for what cannot be fetched. */
export async function readCheckpoint(
  source: CheckpointSource,
): Promise<{ readonly bytes: Uint8Array; readonly name: string }> {
  if (source instanceof Uint8Array) return { bytes: source, name: "the checkpoint" };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), name: "the checkpoint" };
  if (source instanceof Blob) {
    const name = source instanceof File && source.name ? source.name : "the checkpoint";
    return { bytes: new Uint8Array(await source.arrayBuffer()), name };
  }
  const response = await fetch(source).catch((error) => error as Error);
  if (response instanceof Error) throw new CheckpointError(`Cannot fetch ${source}: ${response.message}`);
  if (!response.ok) throw new CheckpointError(`Cannot fetch ${source}: the answer was ${response.status}`);
  return { bytes: new Uint8Array(await response.arrayBuffer()), name: source.href };
}
