/**
 * Brings preprocessed inputs to the device: each is uploaded as it came, and one launch reorders the batch.
 * @module
 */
import type { Gpu } from "../../engine/device.ts";
import { reorder } from "../../engine/kernels/channels_last/channels_last.ts";
import { Plan } from "../../engine/plan.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** A device buffer for the values of one batch, and the plan that brings them into the input. */
export class TensorFeed implements Disposable {
  readonly #plan: Plan;
  readonly #values: Tensor;
  readonly #batch: number;

  private constructor(readonly gpu: Gpu, x: Tensor) {
    this.#plan = new Plan(gpu, "tensor input");
    this.#batch = x.shape[0]!;
    this.#values = this.#plan.tensor([x.size], "input values");
    reorder(this.#plan, { x: this.#values, y: x });
  }

  /** For the input `x` [N, H, W, C]. */
  static async create(gpu: Gpu, x: Tensor): Promise<TensorFeed> {
    const feed = new TensorFeed(gpu, x);
    await feed.#plan.compile();
    return feed;
  }

  /**
   * Fills the input with 1 to N rows, each the bytes of [C, H, W] float32 values; what a short batch leaves is of
   * earlier ones. Throws a `RangeError` for any other number of rows or bytes.
   */
  run(rows: readonly Uint8Array[]): void {
    const bytes = this.#values.size * 4 / this.#batch;
    if (rows.length < 1 || rows.length > this.#batch) {
      throw new RangeError(`Cannot infer ${rows.length} inputs at once: wanted 1 to ${this.#batch}`);
    }
    const wrong = rows.find((row) => row.length !== bytes);
    if (wrong) {
      throw new RangeError(`Cannot infer: got an input of ${wrong.length} bytes, wanted ${bytes}`);
    }
    this.gpu.check();
    const { queue } = this.gpu.device;
    rows.forEach((row, n) =>
      queue.writeBuffer(this.#values.buffer, n * bytes, row as Uint8Array<ArrayBuffer>)
    );
    this.#plan.run();
  }

  [Symbol.dispose](): void {
    this.#plan[Symbol.dispose]();
  }
}
