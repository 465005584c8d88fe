/**
 * Sums of gradients across ranks, in the order of the tree. MPI moves bytes and adds nothing: the gradients are cut into buckets and these
 * into a chunk for each rank; every rank sends each other one the chunks of its own sums, adds up its own chunk in the order of the tree
 * with the kernel that adds within a rank, and gets the other chunks from those that added them. So each rank sends and receives what the
 * fastest all-reduce does, twice the gradients, and the sum has the same bits for any number of ranks.
 * @module
 */
import { accumulate } from "../engine/kernels/add/add.ts";
import type { Gpu } from "../engine/device.ts";
import { cutIntoBuckets, type Piece, readPieces, writePieces } from "../engine/memory.ts";
import { Plan } from "../engine/plan.ts";
import { alignTo4, type Tensor } from "../engine/tensor.ts";
import type { Communicator } from "./communicator.ts";
import type { Gradients } from "./device_sum.ts";
import { additions, nodesOfRanks } from "./tree.ts";

/** Bytes that travel together unless told otherwise, as in PyTorch's DistributedDataParallel. */
export const BUCKET_BYTES: number = 25 * 2 ** 20;

/** What sums are taken of. */
export interface RankSumOptions {
  /** Most micro-batches of a step. */
  readonly microBatches: number;
  /** Bytes of a bucket; default `BUCKET_BYTES`. */
  readonly bucketBytes?: number | undefined;
}

/** Makes of all ranks' sums the step's. */
export class RankSum implements Disposable {
  readonly #buckets: readonly Piece[][];
  /** A chunk of each sum that takes part. */
  readonly #slots: Tensor[] = [];
  readonly #memory: Plan;
  readonly #adders = new Map<string, Plan>();
  readonly #chunk: number;

  /** Takes memory on the device; the sum will lie in `gradients`. */
  constructor(
    readonly gpu: Gpu,
    readonly ranks: Communicator,
    readonly gradients: Gradients,
    readonly options: RankSumOptions,
  ) {
    const tensors = gradients.filter((tensor) => tensor !== undefined);
    this.#buckets = cutIntoBuckets(tensors, options.bucketBytes ?? BUCKET_BYTES);
    this.#memory = new Plan(gpu, "chunks of gradients");
    const longest = Math.max(...this.#buckets.map(lengthOf));
    this.#chunk = chunkOf(longest, ranks.size);
    const present = Array.from({ length: options.microBatches }, (_, i) => i + 1);
    const slots = Math.max(...present.map((count) => this.#nodes(count).flat().length));
    for (let i = 0; i < slots; i++) this.#slots.push(this.#memory.tensor([this.#chunk]));
  }

  /** `sums`: those of this rank's nodes in a step with `present` micro-batches. */
  async run(sums: readonly Gradients[], present: number): Promise<void> {
    const { gpu, ranks, gradients } = this, { size, rank } = ranks;
    const nodes = this.#nodes(present), slots = nodes.map((own) => own.length);
    const adder = await this.#adder(present);
    for (const bucket of this.#buckets) {
      const length = lengthOf(bucket), chunk = chunkOf(length, size);
      // Chunks are alike but for the last ones, which may be shorter or empty.
      const lengths = Array.from(
        { length: size },
        (_, r) => Math.max(0, Math.min(chunk, length - r * chunk)),
      );
      const own = sums.map((sum) => piecesIn(sum, gradients, bucket));
      const values = await readPieces(gpu, own.flat());
      const parts = await ranks.exchange(
        byReceiver(values, sums.length, length, lengths),
        lengths.map((count) => count * sums.length),
        slots.map((count) => count * lengths[rank]!),
      );
      const mine = lengths[rank]!;
      let part = new Float32Array(0);
      if (mine > 0) {
        const whole = this.#slots.map((tensor) => ({ tensor, first: 0, count: mine }));
        writePieces(gpu, whole.slice(0, nodes.flat().length), parts);
        adder?.run();
        part = await readPieces(gpu, whole.slice(0, 1));
      }
      writePieces(gpu, bucket, await ranks.gatherParts(part, lengths));
    }
  }

  #nodes(present: number) {
    const { ranks, options } = this;
    return nodesOfRanks(ranks.size, options.microBatches, present);
  }

  /** Adds the slots up into the first; undefined where there is one. */
  async #adder(present: number): Promise<Plan | undefined> {
    const order = additions(this.#nodes(present).flat());
    if (order.length === 0) return undefined;
    const key = order.join(" ");
    const known = this.#adders.get(key);
    if (known) return known;
    const plan = new Plan(this.gpu, "sum across ranks");
    for (const [into, from] of order) {
      accumulate(plan, { x: this.#slots[from]!, y: this.#slots[into]! });
    }
    this.#adders.set(key, plan);
    return await plan.compile();
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { count }) => sum + count, 0);
}

/** Elements of a rank's chunk of that many. */
function chunkOf(length: number, ranks: number): number {
  return alignTo4(Math.ceil(length / ranks));
}

/** The pieces of a bucket in another set of gradients of the same layout. */
function piecesIn(sum: Gradients, gradients: Gradients, bucket: readonly Piece[]): Piece[] {
  return bucket.map((piece) => ({ ...piece, tensor: sum[gradients.indexOf(piece.tensor)]! }));
}

/** Sums that lie one after the other, cut up by the rank that a chunk goes to; a rank's chunks of all sums together. */
function byReceiver(
  values: Float32Array<ArrayBuffer>,
  sums: number,
  length: number,
  lengths: readonly number[],
): Float32Array<ArrayBuffer> {
  if (sums < 2) return values;
  const ordered = new Float32Array(values.length);
  let to = 0, from = 0;
  for (const count of lengths) {
    for (let sum = 0; sum < sums; sum++, to += count) {
      ordered.set(values.subarray(sum * length + from, sum * length + from + count), to);
    }
    from += count;
  }
  return ordered;
}
