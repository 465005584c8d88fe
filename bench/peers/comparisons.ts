/** @module */
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

/** The comparisons; `quick`: the same with small inputs, to see that everything runs. */
export function comparisons(quick: boolean): Comparison[] {
  const small = quick ? 64 : 224;
  const train = (
    model: string,
    batch: number,
    size: number,
    ratio: number,
    against: string[],
  ): Comparison => ({
    name: `${model} training, batch ${batch}`,
    task: { kind: "training", model, batch, size },
    contenders: ["ours", ...against],
    target: { ratio, against },
    perStep: batch,
  });
  const product = quick ? 128 : 1024;
  return [
    train("compact", 32, small, 10, ["tfjs", "jax-js"]),
    train("compact", 4, small, 6, ["tfjs", "jax-js"]),
    {
      name: `${product}^3 product`,
      task: { kind: "product", size: product },
      contenders: EVERYONE,
      target: { ratio: 5, against: ["jax-js"] },
      perStep: 1,
    },
    {
      name: "compact inference, batch 1",
      task: { kind: "inference", model: "compact", batch: 1, size: small },
      contenders: EVERYONE,
      target: { ratio: 3, against: ["tfjs"] },
      perStep: 1,
    },
    // The longest comes last, so that an impatient user has the others.
    train("alexnet", quick ? 1 : 8, 224, 10, ["tfjs"]),
  ];
}
