/**
 * What rounds of several contenders say: medians, ratios and whether all computed the same. No device, no process.
 * @module
 */
import { median } from "../../engine/profile.ts";

/** What one contender did. */
export interface Measured {
  readonly name: string;
  readonly library: string;
  readonly adapter: string;
  /** Milliseconds of one step, one number a round. */
  readonly milliseconds: readonly number[];
  /** Steps in each round. */
  readonly steps: number;
  readonly answer: readonly number[];
}

/** One contender's part of a comparison. */
export interface Summary extends Omit<Measured, "answer"> {
  readonly median: number;
  /** Its time over ours: the median of the rounds' ratios, 1 for ours. */
  readonly ratio: number;
  /** Distance of its answer from ours over the size of ours; 0 for ours, NaN where the answers' lengths differ. */
  readonly difference: number;
  /** Whether that is a matter of rounding. */
  readonly same: boolean;
}

/** Largest difference of answers that counts as the same computation: float32 sums in another order. */
export const SAME = 1e-3;

/** Compares everyone with the first, who is ours. */
export function summarise(all: readonly Measured[]): Summary[] {
  const [ours] = all;
  return all.map(({ answer, ...rest }) => {
    const difference = distance(answer, ours!.answer);
    return {
      ...rest,
      median: median(rest.milliseconds),
      ratio: median(rest.milliseconds.map((ms, round) => ms / ours!.milliseconds[round]!)),
      difference,
      same: difference <= SAME,
    };
  });
}

/** How many times as long as ours the fastest of `names` takes; undefined where none of them was measured. */
export function ratioToBest(summaries: readonly Summary[], names: readonly string[]): number | undefined {
  const ratios = summaries.filter((s) => names.includes(s.name)).map((s) => s.ratio);
  return ratios.length > 0 ? Math.min(...ratios) : undefined;
}

function distance(got: readonly number[], wanted: readonly number[]): number {
  if (got.length !== wanted.length) return NaN;
  const squares = wanted.reduce((sum, w) => sum + w * w, 0);
  return Math.sqrt(got.reduce((sum, g, i) => sum + (g - wanted[i]!) ** 2, 0) / squares);
}
