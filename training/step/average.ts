/**
 * Exponential moving average of the weights: steadier than the last step's, and what is validated and kept in its place.
 * @module
 */
import { ema } from "../../engine/kernels/optimizer/optimizer.ts";
import type { Plan } from "../../engine/plan.ts";
import { copyTensors, type Tensor } from "../../engine/tensor.ts";
import { Network } from "../../model/network.ts";

/** A second network whose parameters, running statistics included, follow those of the first. */
export class WeightAverage implements Disposable {
  /** The network that holds the averages. */
  readonly network: Network;

  /** Starts from the weights that `source` has now. `decay` is the share that each step keeps, 0 to under 1. */
  constructor(readonly source: Network, readonly decay: number) {
    this.network = new Network(source.gpu, source.architecture, {
      frozen: source.frozen,
      groupOf: source.groupOf,
    });
    copyTensors(source.gpu, this.#pairs());
  }

  /** Records the update; `params` as in `Optimizer.build`. */
  build(plan: Plan, params: Tensor): void {
    for (const [parameter, averaged] of this.#pairs()) {
      ema(plan, { parameter, averaged, params }, { decay: this.decay });
    }
  }

  #pairs(): (readonly [from: Tensor, to: Tensor])[] {
    const averaged = this.network.parameters.arenas;
    return this.source.parameters.arenas.map(({ values }, i) => [values, averaged[i]!.values] as const);
  }

  /** Frees the averages. */
  [Symbol.dispose](): void {
    this.network[Symbol.dispose]();
  }
}
