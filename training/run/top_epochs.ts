/**
 * Which epochs' checkpoints are kept beside the best one's.
 * @module
 */
import { z } from "zod";

/** An epoch and its validation. */
export interface RankedEpoch {
  /** Counted from 1. */
  readonly epoch: number;
  /** Share of the validation photos that were recognised. */
  readonly accuracy: number;
  /** Mean cross-entropy over them, in nats. */
  readonly loss: number;
}

/** Reads a `RankedEpoch`. */
export const rankedEpochSchema: z.ZodType<RankedEpoch> = z.object({
  epoch: z.int().positive(),
  accuracy: z.number(),
  loss: z.number(),
});

/** The best `most` of the epochs that are kept and another one: by accuracy, then loss, then age. */
export function topEpochs(
  kept: readonly RankedEpoch[],
  other: RankedEpoch,
  most: number,
): readonly RankedEpoch[] {
  // Of a loss that is not a number nothing can be said: it comes last.
  const lossOf = ({ loss }: RankedEpoch) => Number.isNaN(loss) ? Infinity : loss;
  const all = [...kept.filter(({ epoch }) => epoch !== other.epoch), other];
  const order = (a: RankedEpoch, b: RankedEpoch) =>
    b.accuracy - a.accuracy || Math.sign(lossOf(a) - lossOf(b)) || a.epoch - b.epoch;
  return all.sort(order).slice(0, most);
}
