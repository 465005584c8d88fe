/**
 * What is compared, and what the rounds of a comparison say: medians, ratios and whether all computed the same. No device, no process.
 * @module
 */
import { median } from "../../engine/profile.ts";
import type { Task } from "./workload.ts";

/** One line of the table. */
export interface Comparison {
  readonly name: string;
  readonly task: Task;
  /** Who is asked, ours first. */
  readonly contenders: readonly string[];
  /** Ours should take at most 1 / `ratio` of the time of the fastest of `against`. */
  readonly target: { readonly ratio: number; readonly against: readonly string[] };
  /** Images (or products) of one step. */
  readonly perStep: number;
}

const EVERYONE = ["ours", "tfjs", "jax-js"];

/** What the comparisons may be told. */
export interface Choice {
  /** The same with small inputs, to see that everything runs. */
  readonly quick: boolean;
  /** Images of a training step; left out, each line has its own. */
  readonly batch?: number | undefined;
  /** Who takes part in every line, too, and decides nothing: PyTorch, where there is one. */
  readonly beside?: readonly string[];
}

/** The comparisons. */
export function comparisons({ quick, batch, beside = [] }: Choice): Comparison[] {
  const lines = batch === undefined ? usualLines(quick) : usualLines(quick, batch);
  const once = new Map(lines.map((line) => [line.name, line]));
  return [...once.values()].map((line) => ({ ...line, contenders: [...line.contenders, ...beside] }));
}

function usualLines(quick: boolean, allBatches?: number): Comparison[] {
  const small = quick ? 64 : 224;
  const train = (
    model: string,
    usualBatch: number,
    size: number,
    ratio: number,
    against: string[],
  ): Comparison => {
    const batch = allBatches ?? usualBatch;
    return {
      name: `${model} training, batch ${batch}`,
      task: { kind: "training", model, batch, size },
      contenders: ["ours", ...against],
      target: { ratio, against },
      perStep: batch,
    };
  };
  const product = quick ? 128 : 1024;
  return [
    train("compact", 32, small, 15, ["tfjs", "jax-js"]),
    train("compact", 4, small, 12, ["tfjs", "jax-js"]),
    {
      name: `${product}^3 product`,
      task: { kind: "product", size: product },
      contenders: EVERYONE,
      target: { ratio: 10, against: ["tfjs", "jax-js"] },
      perStep: 1,
    },
    {
      name: "compact inference, batch 1",
      task: { kind: "inference", model: "compact", batch: 1, size: small },
      contenders: EVERYONE,
      target: { ratio: 8, against: ["tfjs", "jax-js"] },
      perStep: 1,
    },
    // The longest comes last, so that an impatient user has the others.
    train("alexnet", quick ? 1 : 8, 224, 10, ["tfjs"]),
  ];
}

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

/** A comparison with what came of it. */
export interface ComparisonResult {
  readonly comparison: Comparison;
  /** Ours first. */
  readonly summaries: readonly Summary[];
  /** Messages of contenders that could not take part. */
  readonly failures: readonly string[];
}
