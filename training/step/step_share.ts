/**
 * A step of several micro-batches, shared out to ranks: which batches are computed here, and how what all of them leave becomes one update
 * that is bitwise the same on every rank and for every number of them.
 * @module
 */
import { ALONE, type Communicator } from "../../distributed/communicator.ts";
import { DeviceSum } from "../../distributed/device_sum.ts";
import { FastSum } from "../../distributed/fast_sum.ts";
import { RankSum } from "../../distributed/rank_sum.ts";
import { shareOf, type Span } from "../../distributed/tree.ts";
import { readPieces, writePieces } from "../../engine/memory.ts";
import type { TrainingStep } from "../../model/training_step.ts";

/** How steps are cut up and shared out. */
export interface StepShareOptions {
  /** Parts of a step whose gradients are computed from zero and then added up in a tree; default 1. */
  readonly microBatches?: number | undefined;
  /** Batches of a micro-batch, added up one after the other. */
  readonly accumulate: number;
  /** Who computes; default: this process alone. */
  readonly ranks?: Communicator | undefined;
  /** Let the library add up across ranks, in its own order; default false. */
  readonly fastReduce?: boolean | undefined;
  /** Bytes of gradients that travel together. */
  readonly bucketBytes?: number | undefined;
}

/** One rank's part of every step. */
export class StepShare implements Disposable {
  /** Batches in the step and its micro-batches. */
  #batches = 0;
  /** Rows of records that hold something. */
  #filled = 0;

  private constructor(
    readonly step: TrainingStep,
    readonly options: StepShareOptions & { readonly microBatches: number; readonly ranks: Communicator },
    readonly sum: DeviceSum,
    readonly across: RankSum | FastSum | undefined,
  ) {}

  /** Takes memory for the sums. */
  static async create(step: TrainingStep, given: StepShareOptions): Promise<StepShare> {
    const options = { ...given, microBatches: given.microBatches ?? 1, ranks: given.ranks ?? ALONE };
    const { ranks, microBatches, fastReduce } = options;
    const { gradients, network: { gpu } } = step;
    const sum = await DeviceSum.create(gpu, gradients, shareOf(ranks.rank, ranks.size, microBatches));
    const Sum = fastReduce ? FastSum : RankSum;
    const across = ranks.size > 1 ? new Sum(gpu, ranks, gradients, options) : undefined;
    return new StepShare(step, options, sum, across);
  }

  /** Which of a step's batches, of that many, are computed here. */
  batchesOf(batches: number): Span {
    return this.#batchesOfRank(this.options.ranks.rank, batches);
  }

  #batchesOfRank(rank: number, batches: number): Span {
    const { ranks, microBatches, accumulate } = this.options;
    const { first, end } = shareOf(rank, ranks.size, microBatches);
    return { first: Math.min(first * accumulate, batches), end: Math.min(end * accumulate, batches) };
  }

  /** A step of that many batches begins. */
  begin(batches: number): void {
    const { accumulate } = this.options, { first, end } = this.batchesOf(batches);
    this.#batches = batches;
    this.sum.begin({ first: Math.ceil(first / accumulate), end: Math.ceil(end / accumulate) });
    if (batches >= this.#filled) return;
    const { rows, plan: { gpu } } = this.step.records!;
    const encoder = gpu.device.createCommandEncoder({ label: "clear batch records" });
    encoder.clearBuffer(rows.buffer);
    gpu.device.queue.submit([encoder.finish()]);
  }

  /** Whether a batch is the first of its micro-batch, whose gradients start from zero. */
  starts(batch: number): boolean {
    return batch % this.options.accumulate === 0;
  }

  /** A batch has been submitted. */
  submitted(batch: number): void {
    this.step.records!.store(batch);
    if ((batch + 1) % this.options.accumulate === 0 || batch + 1 === this.#batches) this.sum.add();
  }

  /**
   * Makes the step's sum of gradients and all its records, here as on the other ranks. Resolves with whether any rank is `stopping`; waits
   * for the device where there are others.
   */
  async combine(stopping: boolean): Promise<boolean> {
    this.#filled = this.#batches;
    if (!this.across) {
      this.sum.join();
      return stopping;
    }
    if (this.across instanceof FastSum) {
      this.sum.join();
      await this.across.run(this.sum.sums.length > 0);
    } else await this.across.run(this.sum.sums, Math.ceil(this.#batches / this.options.accumulate));
    return await this.#shareRecords(stopping);
  }

  /** Every rank gets all batches' records; whether any is stopping goes with them. */
  async #shareRecords(stopping: boolean): Promise<boolean> {
    const { ranks } = this.options, { rows, plan: { gpu } } = this.step.records!;
    const length = rows.shape[1]!;
    const own = this.batchesOf(this.#batches);
    const piece = { tensor: rows, first: own.first * length, count: (own.end - own.first) * length };
    const values = await readPieces(gpu, piece.count > 0 ? [piece] : []);
    const part = new Float32Array(values.length + 1);
    part.set(values);
    part[values.length] = stopping ? 1 : 0;
    const spans = Array.from({ length: ranks.size }, (_, rank) => this.#batchesOfRank(rank, this.#batches));
    const all = await ranks.gatherParts(part, spans.map(({ first, end }) => (end - first) * length + 1));
    const whole = new Float32Array(rows.length);
    let at = 0, stopped = false;
    for (const { first, end } of spans) {
      const count = (end - first) * length;
      whole.set(all.subarray(at, at + count), first * length);
      stopped ||= all[at + count] !== 0;
      at += count + 1;
    }
    writePieces(gpu, [{ tensor: rows, first: 0, count: rows.length }], whole);
    return stopped;
  }

  /** Frees the sums. */
  [Symbol.dispose](): void {
    this.sum[Symbol.dispose]();
    this.across?.[Symbol.dispose]();
  }
}
