/**
 * What the device sums up while steps follow one another, read now and then.
 * @module
 */
import type { Gpu } from "../../engine/device.ts";
import { readTensors, writeTensor } from "../../engine/tensor.ts";
import type { TrainingStep } from "../../model/training_step.ts";
import { type LossParts, type LossSums, meanParts } from "./loss_sums.ts";

/** Steps whose losses the device remembers; metrics must be read at least that often. */
export const HISTORY = 64;

/** What was measured since the last reading. */
export interface Metrics {
  /** As the device summed them up. */
  readonly sums: LossSums;
  /** Images seen. */
  readonly images: number;
  /** Mean loss of them. */
  readonly loss: number;
  /** Share of them whose highest logit was the label. */
  readonly accuracy: number;
  /** Mean distance of predictions from soft targets, where there are any. */
  readonly parts: LossParts | undefined;
  /** Mean loss of each step since the last reading, oldest first. */
  readonly losses: Float32Array;
}

/** Reads what a step adds to, `HISTORY` steps long. */
export class LossMeter {
  #readAt: number;

  /** Of steps after `step`. */
  constructor(
    readonly gpu: Gpu,
    readonly tensors: Pick<TrainingStep, "totals" | "history" | "parts">,
    step: number,
  ) {
    this.#readAt = step;
  }

  /** Goes on with what the device had summed up. */
  begin({ images, hits, loss, parts }: LossSums = { images: 0, hits: 0, loss: 0 }): void {
    const { gpu, tensors } = this;
    writeTensor(gpu, tensors.totals, Float32Array.of(0, hits, images, loss));
    if (!tensors.parts || !parts) return;
    const { crossEntropy, divergence, entropy } = parts;
    writeTensor(gpu, tensors.parts, Float32Array.of(crossEntropy, divergence, entropy, images));
  }

  /** Throws a `RangeError` where the next step's loss would take the place of one that nobody has read. */
  requireRoom(step: number): void {
    if (step - this.#readAt < HISTORY) return;
    throw new RangeError(`Cannot train on: metrics were not read for ${HISTORY} steps`);
  }

  /** See `Trainer.metrics`; `step` steps are done. */
  async read(step: number, keep: boolean): Promise<Metrics> {
    const { gpu, tensors: { totals, history: ring, parts: measured } } = this;
    const [sums, history, apart] = await readTensors(gpu, [totals, ring, ...measured ? [measured] : []]);
    if (!keep) {
      writeTensor(gpu, totals, new Float32Array(4));
      writeTensor(gpu, ring, new Float32Array(HISTORY));
      if (measured) writeTensor(gpu, measured, new Float32Array(4));
    }
    const [, hits, images, loss] = sums as unknown as [number, number, number, number];
    const losses = Float32Array.from(
      { length: step - this.#readAt },
      (_, i) => history![(this.#readAt + 1 + i) % HISTORY]!,
    );
    if (!keep) this.#readAt = step;
    const read: LossSums = { images, loss, hits, ...apart && { parts: partsOf(apart) } };
    return {
      sums: read,
      images,
      loss: loss / images,
      accuracy: hits / images,
      parts: meanParts(read),
      losses,
    };
  }
}

function partsOf([crossEntropy, divergence, entropy]: Float32Array): LossParts {
  return { crossEntropy: crossEntropy!, divergence: divergence!, entropy: entropy! };
}
