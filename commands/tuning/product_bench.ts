/**
 * One convolution with noise in its tensors: runs any of its products with any tile, checks and times it.
 * @module
 */
import { type Clock, timeLaunches } from "../../bench/kernels/timing.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { conv2dForward, conv2dInputGrad, conv2dWeightGrad } from "../../engine/kernels/conv2d/conv2d.ts";
import { sumSplits } from "../../engine/kernels/sum_splits/sum_splits.ts";
import { colSumsPerSplit } from "../../engine/kernels/matmul/tile.ts";
import { Plan } from "../../engine/plan.ts";
import { readTensors, type Tensor, writeTensor } from "../../engine/tensor.ts";
import type { ProductShape, TileChoice } from "../../engine/kernels/matmul/tiles.ts";
import type { Convolution } from "./products.ts";

/** What a product computed: one array for each tensor it writes. */
export type Results = readonly Float32Array[];

/** Owns the tensors of one convolution. */
export class ProductBench implements Disposable {
  readonly #tensors: Plan;
  readonly #x: Tensor;
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  readonly #dy: Tensor;

  constructor(readonly gpu: Gpu, readonly convolution: Convolution) {
    const { x, weight, y } = convolution;
    const plan = this.#tensors = new Plan(gpu, "tuning");
    this.#x = noise(plan, x, 1);
    this.#weight = noise(plan, weight, 2);
    this.#bias = noise(plan, [weight[3]], 3);
    this.#dy = noise(plan, y, 4);
  }

  /** Compiles the product with this choice; throws what WebGPU says where it cannot. */
  async prepare(op: ProductShape["op"], choice: TileChoice): Promise<Prepared> {
    const plan = new Plan(this.gpu, `${this.convolution.layer} ${op}`);
    try {
      const outputs = await this.gpu.guard(`build ${plan.label}`, () => this.#build(plan, op, choice));
      await plan.compile();
      return new Prepared(this.gpu, plan, outputs);
    } catch (error) {
      plan[Symbol.dispose]();
      throw error;
    }
  }

  #build(plan: Plan, op: ProductShape["op"], { tile, splits = 1 }: TileChoice): Tensor[] {
    const { x, weight, y, stride, padding, groups } = this.convolution;
    const options = { stride, padding, groups, tile };
    if (op === "forward") {
      const out = plan.tensor(y);
      plan.add(conv2dForward(this.#x, this.#weight, this.#bias, out, { ...options, relu: true }));
      return [out];
    }
    if (op === "input_grad") {
      const dx = plan.tensor(x);
      plan.add(conv2dInputGrad(this.#dy, this.#weight, this.#x, dx, { ...options, mask: true }));
      return [dx];
    }
    const dWeight = plan.tensor(weight), dBias = plan.tensor([weight[3]]);
    const partial = splits === 1
      ? { ...dWeight, shape: [1, ...dWeight.shape] }
      : plan.tensor([splits, ...weight]);
    const partialBias = plan.tensor([splits * colSumsPerSplit(tile), weight[3]]);
    plan.add(conv2dWeightGrad(this.#x, this.#dy, partial, partialBias, options));
    if (splits > 1) plan.add(sumSplits(partial, dWeight));
    plan.add(sumSplits(partialBias, dBias));
    return [dWeight, dBias];
  }

  [Symbol.dispose](): void {
    this.#tensors[Symbol.dispose]();
  }
}

/** A product that is ready to run. */
export class Prepared implements Disposable {
  constructor(readonly gpu: Gpu, readonly plan: Plan, readonly outputs: readonly Tensor[]) {}

  /** Runs once and reads what it wrote. */
  async results(): Promise<Results> {
    this.plan.run();
    return await readTensors(this.gpu, this.outputs);
  }

  /** Milliseconds of all its launches, the median of `repeats` runs. */
  async milliseconds(clock: Clock, repeats: number): Promise<number> {
    const times = await timeLaunches(this.gpu, this.plan.bound, { clock, repeats });
    return times.reduce((sum, t) => sum + t, 0);
  }

  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
  }
}

/** A tensor of values from -1 to 1 that follow no pattern. */
function noise(plan: Plan, shape: readonly number[], seed: number): Tensor {
  const tensor = plan.tensor(shape);
  const values = new Float32Array(tensor.size);
  let state = seed * 0x9e3779b9 >>> 0;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  writeTensor(plan.gpu, tensor, values);
  return tensor;
}
