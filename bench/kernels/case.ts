/** @module */
import type { Plan } from "../../engine/plan.ts";
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
