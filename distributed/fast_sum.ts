/**
 * Sums of gradients across ranks by MPI's own all-reduce, in the order that the library takes: equal on all ranks, but not for every number
 * of them.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import { cutIntoBuckets, type Piece, readPieces, writePieces } from "../engine/memory.ts";
import type { Communicator } from "./communicator.ts";
import type { Gradients } from "./device_sum.ts";
import { BUCKET_BYTES, type RankSumOptions } from "./rank_sum.ts";

/** Adds up what each rank's gradients hold. */
export class FastSum implements Disposable {
  readonly #buckets: readonly Piece[][];

  /** The sum takes the place of the gradients. */
  constructor(
    readonly gpu: Gpu,
    readonly ranks: Communicator,
    gradients: Gradients,
    { bucketBytes = BUCKET_BYTES }: RankSumOptions,
  ) {
    this.#buckets = cutIntoBuckets(gradients.filter((tensor) => tensor !== undefined), bucketBytes);
  }

  /** `present`: whether this rank's gradients count; in a short step it may have computed none. While one bucket travels the next is read. */
  async run(present: boolean): Promise<void> {
    const travelling: Promise<void>[] = [];
    for (const bucket of this.#buckets) {
      const values = await readPieces(this.gpu, bucket);
      if (!present) values.fill(0);
      travelling.push(this.ranks.sum(values).then((sum) => writePieces(this.gpu, bucket, sum)));
    }
    await Promise.all(travelling);
  }

  /** Holds no memory. */
  [Symbol.dispose](): void {}
}
