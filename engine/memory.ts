/**
 * Device memory as it lies there, padding included: pieces of tensors that are moved as they are.
 * @module
 */
import type { Gpu } from "./device.ts";
import { READBACK_BYTES } from "./readback.ts";
import type { Tensor } from "./tensor.ts";

/** A range of a tensor's memory, in elements. */
export interface Piece {
  /** Whose memory. */
  readonly tensor: Tensor;
  /** Its first element, a multiple of four. */
  readonly first: number;
  /** Elements, a multiple of four. */
  readonly count: number;
}

/** The pieces one after the other. Waits for the device once for every `READBACK_BYTES`. */
export async function readPieces(gpu: Gpu, pieces: readonly Piece[]): Promise<Float32Array<ArrayBuffer>> {
  const values = new Float32Array(pieces.reduce((sum, { count }) => sum + count, 0));
  const room = READBACK_BYTES / 4;
  gpu.check();
  for (let at = 0, next = 0, within = 0; at < values.length;) {
    const total = Math.min(room, values.length - at);
    const bytes = await gpu.readback.read(total * 4, (encoder, to) => {
      for (let filled = 0; filled < total;) {
        const { tensor, first, count } = pieces[next]!;
        const length = Math.min(count - within, total - filled);
        const from = tensor.offset + (first + within) * 4;
        encoder.copyBufferToBuffer(tensor.buffer, from, to, filled * 4, length * 4);
        filled += length;
        within += length;
        if (within === count) [next, within] = [next + 1, 0];
      }
    });
    values.set(new Float32Array(bytes), at);
    at += total;
  }
  gpu.check();
  return values;
}

/** Writes the values into the pieces, one after the other; there must be as many. */
export function writePieces(gpu: Gpu, pieces: readonly Piece[], values: Float32Array<ArrayBuffer>): void {
  let at = 0;
  for (const { tensor, first, count } of pieces) {
    if (at + count > values.length) {
      throw new RangeError(`Cannot write ${tensor.label}: got ${values.length} values for more room`);
    }
    // A write of nothing aborts the process in Deno.
    if (count > 0) {
      gpu.device.queue.writeBuffer(tensor.buffer, tensor.offset + first * 4, values, at, count);
    }
    at += count;
  }
}

/** The memory of some tensors, cut into groups of pieces of at most `bytes` together. */
export function cutIntoBuckets(tensors: readonly Tensor[], bytes: number): Piece[][] {
  const room = Math.max(4, Math.floor(bytes / 16) * 4), buckets: Piece[][] = [];
  let left = 0;
  for (const tensor of tensors) {
    for (let first = 0; first < tensor.length;) {
      if (left === 0) {
        buckets.push([]);
        left = room;
      }
      const count = Math.min(left, tensor.length - first);
      buckets.at(-1)!.push({ tensor, first, count });
      first += count;
      left -= count;
    }
  }
  return buckets;
}
