/**
 * What the kernel bench checks and times, and the numbers that it feeds to it.
 * @module
 */
import type { Plan } from "../../engine/plan.ts";
import { normal } from "../../engine/random.ts";
import type { Check } from "../../engine/verify/case.ts";

/** Something to check and then to time. */
export interface BenchCase {
  /** What it is, with its sizes. */
  readonly name: string;
  /**
   * Records the launches and uploads their inputs; what the plan does not own goes to `owned`. Returns what compares the results
   * with a reference once the plan has run.
   */
  build(plan: Plan, owned: DisposableStack): () => Promise<readonly Check[]>;
}

/** The layers of a model, or whatever else belongs together. */
export interface CaseGroup {
  readonly name: string;
  readonly batch: number;
  readonly cases: readonly BenchCase[];
}

const TABLE = 2 ** 16;
let table: Float32Array | undefined;

/** Normally distributed values, fast enough for sixty million: a table of 65,536 in an order that differs from seed to seed. */
export function noise(seed: number, length: number): Float32Array<ArrayBuffer> {
  const values = table ??= Float32Array.from({ length: TABLE }, (_, i) => normal(1, 0xbe4d, i));
  const out = new Float32Array(length);
  // A prime step visits the whole table; each later round starts elsewhere.
  const step = 40_503 + 2 * seed;
  for (let i = 0, at = seed * 977; i < length; i++) {
    at = (at + step + (i % TABLE === 0 ? 1 : 0)) % TABLE;
    out[i] = values[at]!;
  }
  return out;
}
