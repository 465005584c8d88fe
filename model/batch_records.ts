/**
 * What the batches of a step leave behind beside their gradients: sums of their losses and their own statistics, a row each. Whoever
 * computed a batch, totals and running statistics are made of the rows in the batches' order.
 * @module
 */
import { moveRunning } from "../engine/kernels/batch_norm/batch_norm.ts";
import { accumulateBatches, sumLoss } from "../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import type { Plan } from "../engine/plan.ts";
import { copyTensors, Tensor } from "../engine/tensor.ts";
import type { StatisticsKeeper } from "./layer.ts";
import type { Network } from "./network.ts";

/** A row for every batch of a step, and where the batch that is being computed writes its own. */
export class BatchRecords implements StatisticsKeeper {
  /** [batches, length]; zeros where a step has no such batch. */
  readonly rows: Tensor;
  readonly #own: Tensor;
  readonly #align: number;
  readonly #kept: { readonly running: Tensor; readonly momentum: number; readonly offset: number }[] = [];
  #end: number;

  /** Room for the statistics of `network` in the memory of `plan`. */
  constructor(readonly plan: Plan, network: Network, batches: number) {
    const { gpu } = network;
    this.#align = gpu.limits.minStorageBufferOffsetAlignment / 4;
    const statistics = network.parameters.all.filter(({ spec }) => !spec.trained);
    const lengths = statistics.flatMap(({ tensors }) => tensors.map((t) => this.#aligned(t.length)));
    const length = this.#align + lengths.reduce((a, b) => a + b, 0);
    this.#end = this.#align;
    this.#own = plan.tensor([length], "batch record");
    this.rows = plan.tensor([batches, length], "batch records");
  }

  /** As `StatisticsKeeper` says. */
  keep(running: Tensor, momentum: number): Tensor {
    const offset = this.#end;
    this.#end += this.#aligned(running.length);
    this.#kept.push({ running, momentum, offset });
    const { buffer, dtype } = this.#own;
    return new Tensor(`batch's ${running.label}`, running.shape, dtype, buffer, offset * 4);
  }

  /** Records the sums of `result` [N, 4] into the batch's own row. */
  buildLoss(result: Tensor): void {
    sumLoss(this.plan, { result, sums: new Tensor("batch sums", [4], "f32", this.#own.buffer) });
  }

  /** Records what follows once all rows of a step are there. */
  buildTotals(
    plan: Plan,
    tensors: { readonly params: Tensor; readonly totals: Tensor; readonly history: Tensor },
  ): void {
    const records = this.rows;
    accumulateBatches(plan, { records, ...tensors });
    for (const kept of this.#kept) moveRunning(plan, { records, ...kept });
  }

  /** Puts the row of the batch that was submitted last in its place, once the device is through with it. */
  store(batch: number): void {
    const row = new Tensor(
      "batch row",
      this.#own.shape,
      "f32",
      this.rows.buffer,
      batch * this.#own.length * 4,
    );
    copyTensors(this.plan.gpu, [[this.#own, row]]);
  }

  #aligned(length: number): number {
    return Math.ceil(length / this.#align) * this.#align;
  }
}
