/**
 * The search for the first layer whose output is not finite.
 * @module
 */
import { count, type NonFinite, nonFiniteAt } from "../../engine/kernels/check_finite/check_finite.ts";
import type { Plan } from "../../engine/plan.ts";
import { readTensor, type Tensor } from "../../engine/tensor.ts";
import type { Section } from "../../model/network.ts";

/** A layer and pass whose output was not finite, and how much of it. */
export type FoundNonFinite = NonFinite & Pick<Section, "layer" | "pass">;

/** Launches that look for non-finite values in the outputs of a plan's sections. */
export class NumericChecks {
  readonly #sections: readonly Section[];
  readonly #results: Tensor<"u32">;

  /** Records a check of every section that has an output. */
  constructor(readonly plan: Plan, sections: readonly Section[]) {
    this.#sections = sections.filter((s) => s.output);
    this.#results = plan.integers([this.#sections.length, 4], "numeric checks");
    this.#sections.forEach(({ output }, slot) => count(plan, { x: output!, results: this.#results, slot }));
  }

  /** The first section of the plan's last run whose output was not finite. Waits for the device. */
  async first(): Promise<FoundNonFinite | undefined> {
    const results = await readTensor(this.plan.gpu, this.#results);
    for (const [slot, { layer, pass, output }] of this.#sections.entries()) {
      const found = nonFiniteAt(results, slot, output!);
      if (found) return { ...found, layer, pass };
    }
    return undefined;
  }
}
