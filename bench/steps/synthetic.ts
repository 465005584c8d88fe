/**
 * A training step whose input already lies on the device: what a network trains at when nothing has to be fetched.
 * @module
 */
import { Plan } from "../../engine/plan.ts";
import { readTensor, writeTensor } from "../../engine/tensor.ts";
import type { Network } from "../../model/network.ts";
import { TrainingStep } from "../../model/training_step.ts";
import type { Optimizer } from "../../training/optimizer.ts";

/** One fixed batch: values [N, H, W, 3] and labels. */
export interface SyntheticBatch {
  readonly values: Float32Array;
  readonly labels: Uint32Array;
}

/** Owns the step's plan and gradients; borrows network and optimiser. */
export class SyntheticTraining implements Disposable {
  readonly plan: Plan;
  readonly #step: TrainingStep;
  #number = 0;

  private constructor(readonly network: Network, optimizer: Optimizer, readonly batch: number) {
    this.plan = new Plan(network.gpu, "synthetic step");
    this.#step = new TrainingStep(this.plan, network, { batch });
    optimizer.build(this.plan, this.#step.gradients, this.#step.params);
  }

  /** Builds and compiles the step and uploads its batch. */
  static async create(
    network: Network,
    optimizer: Optimizer,
    batch: SyntheticBatch,
  ): Promise<SyntheticTraining> {
    const training = new SyntheticTraining(network, optimizer, batch.labels.length);
    try {
      await training.plan.compile();
    } catch (error) {
      training[Symbol.dispose]();
      throw error;
    }
    writeTensor(network.gpu, training.#step.x, batch.values);
    training.#step.writeLabels(batch.labels);
    return training;
  }

  /** Submits one step; returns without waiting for the device. */
  run(lr: number): void {
    this.#step.writeParams({ lr, gradScale: 1, step: ++this.#number });
    this.plan.run();
  }

  /** Waits for the steps so far and returns their mean loss; then starts a new sum. */
  async loss(): Promise<number> {
    const { totals } = this.#step, [, , images, losses] = await readTensor(this.network.gpu, totals);
    writeTensor(this.network.gpu, totals, new Float32Array(4));
    return losses! / images!;
  }

  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.#step[Symbol.dispose]();
  }
}
