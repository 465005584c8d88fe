/**
 * Device memory of the first rank, bit by bit on all of them.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import { cutIntoBuckets, readPieces, writePieces } from "../engine/memory.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Communicator } from "./communicator.ts";
import { BUCKET_BYTES } from "./rank_sum.ts";

/** Gives every rank what rank 0 has in these tensors, which are as large on all. */
export async function shareMemory(ranks: Communicator, gpu: Gpu, tensors: readonly Tensor[]): Promise<void> {
  if (ranks.size === 1) return;
  for (const bucket of cutIntoBuckets(tensors, BUCKET_BYTES)) {
    const length = bucket.reduce((sum, { count }) => sum + count, 0);
    const values = ranks.rank === 0 ? await readPieces(gpu, bucket) : new Float32Array(length);
    writePieces(gpu, bucket, await ranks.broadcast(values));
  }
}
