/** @module */
import { checkFinite, type NonFinite, nonFiniteAt } from "../engine/kernels/check_finite/check_finite.ts";
import type { Plan } from "../engine/plan.ts";
import { readTensor, type Tensor } from "../engine/tensor.ts";
import type { Section } from "../model/network.ts";

/** A layer and pass whose output was not finite, and how much of it. */
export type FoundNonFinite = NonFinite & Pick<Section, "layer" | "pass">;

/** Launches that look for non-finite values in the outputs of a plan's sections. */
export class NumericChecks {
  readonly #sections: readonly Section[];
  readonly #results: Tensor;

  /** Records a check of every section that has an output. */
  constructor(readonly plan: Plan, sections: readonly Section[]) {
    this.#sections = sections.filter((s) => s.output);
    this.#results = plan.tensor([this.#sections.length, 4], "numeric checks");
    this.#sections.forEach(({ output }, slot) => plan.add(checkFinite(output!, this.#results, slot)));
  }

  /** The first section of the plan's last run whose output was not finite. Waits for the device. */
  async first(): Promise<FoundNonFinite | undefined> {
    const results = new Uint32Array((await readTensor(this.plan.gpu, this.#results)).buffer);
    for (const [slot, { layer, pass, output }] of this.#sections.entries()) {
      const found = nonFiniteAt(results, slot, output!);
      if (found) return { ...found, layer, pass };
    }
    return undefined;
  }
}
