/**
 * What the batches of a step leave behind beside their gradients: sums of their losses and their own statistics, a row each. Whoever
 * computed a batch, totals and running statistics are made of the rows in the batches' order.
 * @module
 */
import { addUp } from "../engine/kernels/distillation/distillation.ts";
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

  /** Where the sums of the loss's parts lie in a row; undefined where they are not measured. */
  readonly #parts: number | undefined;

  /** Room for the statistics of `network`, and for parts of the loss where they are measured, in the memory of `plan`. */
  constructor(readonly plan: Plan, network: Network, batches: number, parts: boolean) {
    const { gpu } = network;
    this.#align = gpu.limits.minStorageBufferOffsetAlignment / 4;
    const statistics = network.parameters.all.filter(({ spec }) => !spec.trained);
    const lengths = statistics.flatMap(({ tensors }) => tensors.map((t) => this.#aligned(t.length)));
    this.#parts = parts ? this.#align : undefined;
    this.#end = (parts ? 2 : 1) * this.#align;
    const length = this.#end + lengths.reduce((a, b) => a + b, 0);
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

  /** Records the sums of `result` [N, 4], and of the loss's parts [N, 4], into the batch's own row. */
  buildLoss(result: Tensor, parts: Tensor | undefined): void {
    const { buffer } = this.#own;
    sumLoss(this.plan, { result, sums: new Tensor("batch sums", [4], "f32", buffer) });
    if (!parts || this.#parts === undefined) return;
    const sums = new Tensor("batch parts", [4], "f32", buffer, this.#parts * 4);
    sumLoss(this.plan, { result: parts, sums });
  }

  /** Records what follows once all rows of a step are there. */
  buildTotals(
    plan: Plan,
    { parts, ...tensors }: {
      readonly params: Tensor;
      readonly totals: Tensor;
      readonly history: Tensor;
      readonly parts: Tensor | undefined;
    },
  ): void {
    const records = this.rows;
    accumulateBatches(plan, { records, ...tensors });
    if (parts && this.#parts !== undefined) {
      addUp(plan, { parts: records, totals: parts, column: this.#parts });
    }
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
