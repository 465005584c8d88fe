/**
 * A training step whose input already lies on the device: what a network trains at when nothing has to be fetched.
 * @module
 */
import {
  accumulateLoss,
  softmaxCrossEntropy,
} from "../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { Plan } from "../../engine/plan.ts";
import { destroyTensor, readTensors, type Tensor, writeTensor } from "../../engine/tensor.ts";
import type { Network } from "../../model/network.ts";
import type { Optimizer } from "../../training/optimizer.ts";

/** One fixed batch: values [N, H, W, 3] and labels. */
export interface SyntheticBatch {
  readonly values: Float32Array;
  readonly labels: Uint32Array;
}

/** Owns the step's plan and gradients; borrows network and optimiser. */
export class SyntheticTraining implements Disposable {
  readonly plan: Plan;
  readonly #gradients: readonly (Tensor | undefined)[];
  readonly #hyper: Tensor;
  readonly #totals: Tensor;
  #step = 0;

  private constructor(readonly network: Network, optimizer: Optimizer, readonly batch: number) {
    const { gpu, parameters, output } = network;
    const plan = this.plan = new Plan(gpu, "synthetic step");
    this.#gradients = parameters.like("gradient");
    this.#hyper = plan.tensor([4], "hyper");
    this.#totals = plan.tensor([4], "totals");
    const x = this.x = network.inputTensor(plan, batch);
    const labels = this.labels = plan.tensor([batch], "labels");
    const random = plan.tensor([4], "random");
    const classWeights = plan.tensor([output.c], "class weights");
    writeTensor(gpu, classWeights, new Float32Array(output.c).fill(1));
    const result = plan.tensor([batch, 4], "loss rows"), history = plan.tensor([1], "loss history");
    network.buildTraining(plan, x, (logits) => {
      const dLogits = plan.tensor(logits.shape, "d logits");
      const rows = (t: Tensor): Tensor => ({ ...t, shape: [batch, output.c] });
      const tensors = {
        logits: rows(logits),
        target: { labels },
        classWeights,
        dLogits: rows(dLogits),
        result,
      };
      plan.add(softmaxCrossEntropy(tensors), accumulateLoss(result, this.#hyper, this.#totals, history));
      return dLogits;
    }, { gradients: this.#gradients, random });
    optimizer.build(plan, this.#gradients, this.#hyper);
  }

  /** The input, [N, H, W, 3]. */
  readonly x: Tensor;
  /** One u32 for each image. */
  readonly labels: Tensor;

  /** Builds and compiles the step and uploads its batch. */
  static async create(
    network: Network,
    optimizer: Optimizer,
    { values, labels }: SyntheticBatch,
  ): Promise<SyntheticTraining> {
    const training = new SyntheticTraining(network, optimizer, labels.length);
    try {
      await training.plan.compile();
    } catch (error) {
      training[Symbol.dispose]();
      throw error;
    }
    writeTensor(network.gpu, training.x, values);
    writeTensor(network.gpu, training.labels, labels);
    return training;
  }

  /** Submits one step; returns without waiting for the device. */
  run(learningRate: number): void {
    this.#step++;
    writeTensor(this.network.gpu, this.#hyper, Float32Array.of(learningRate, 1, this.#step, 0));
    this.plan.run();
  }

  /** Waits for the steps so far and returns their mean loss; then starts a new sum. */
  async loss(): Promise<number> {
    const { gpu } = this.network;
    const [totals] = await readTensors(gpu, [this.#totals]);
    writeTensor(gpu, this.#totals, new Float32Array(4));
    return totals![3]! / totals![2]!;
  }

  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    for (const g of this.#gradients) if (g) destroyTensor(this.network.gpu, g);
  }
}
