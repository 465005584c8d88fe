/**
 * Checkpoints as files.
 * @module
 */
import {
  type Checkpoint,
  decodeCheckpoint,
  decodeTensors,
  encodeCheckpoint,
  type Tensors,
} from "./encoding.ts";
import { CheckpointError, readWeightsFile, writeFileAtomically } from "./files.ts";
import { type TensorValue, writeSafetensors } from "./safetensors.ts";

export {
  type Checkpoint,
  CheckpointError,
  decodeCheckpoint,
  encodeCheckpoint,
  type Tensors,
  type TensorValue,
};

/** Reads a checkpoint file; throws a `CheckpointError` that names it. */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  return decodeCheckpoint(await readWeightsFile(path), path);
}

/** Writes a checkpoint file in one step; throws a `CheckpointError` and leaves the old file as it was. */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeBytes(path, encodeCheckpoint(checkpoint));
}

/**
 * Reads any safetensors file: weights from elsewhere, or training state. PyTorch's step counters are left out.
 * Throws a `CheckpointError` that names the file, and the tensor where a value is not finite.
 */
export async function loadTensors(path: string): Promise<Tensors> {
  return decodeTensors(await readWeightsFile(path), path);
}

/** Writes tensors in one step: training state that lies beside a checkpoint (`last.state.safetensors`). */
export async function saveTensors(
  path: string,
  tensors: ReadonlyMap<string, TensorValue>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeBytes(path, writeSafetensors(tensors, metadata));
}

async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFileAtomically(path, bytes);
  } catch (error) {
    throw new CheckpointError((error as Error).message);
  }
}
