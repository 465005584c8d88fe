/**
 * The matrix products of a model: exactly those that its ops record into its plan, on the values that they get there.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import {
  productKey,
  type RecordedProduct,
  type TileChoice,
  watchProducts,
} from "../../engine/kernels/matmul/tiles.ts";
import { Plan } from "../../engine/plan.ts";
import { type Clock, timeLaunches } from "../../engine/profile.ts";
import { normal } from "../../engine/random.ts";
import { type AnyTensor, readTensors, type TensorData, writeTensor } from "../../engine/tensor.ts";
import { type Architecture, Network, type Section } from "../../model/network.ts";
import { TrainingStep } from "../../model/training_step.ts";

/** A product and the first layer that needs it. */
export interface Product extends RecordedProduct {
  readonly layer: string;
}

/** A model's plan, run once on random images, so that every product's inputs hold ordinary values. */
export class Workload implements Disposable {
  /** Every product once, whichever layers share it. */
  readonly products: readonly Product[];
  readonly #owned: DisposableStack;

  private constructor(products: readonly Product[], owned: DisposableStack) {
    this.products = products;
    this.#owned = owned;
  }

  /** Builds the plan that training, or with `training` false inference, of that batch runs. */
  static async create(
    gpu: Gpu,
    architecture: Architecture,
    { batch, training }: { readonly batch: number; readonly training: boolean },
  ): Promise<Workload> {
    using owned = new DisposableStack();
    const network = owned.use(new Network(gpu, architecture));
    network.parameters.initialise(1);
    const plan = owned.use(new Plan(gpu, "tuning")), recorded = watchProducts(plan);
    let sections: readonly Section[];
    let x: ReturnType<Network["inputTensor"]>;
    if (training) {
      const step = owned.use(new TrainingStep(plan, network, { batch }));
      step.writeLabels(Array.from({ length: batch }, (_, i) => i % network.output.c));
      step.writeParams({ lr: 0, gradScale: 1, step: 1 });
      ({ sections, x } = step);
    } else {
      x = network.inputTensor(plan, batch);
      ({ sections } = network.buildForward(plan, x));
    }
    await plan.compile();
    writeTensor(gpu, x, new Float32Array(x.size).map((_, i) => normal(1, 0x70e, i)));
    plan.run();
    const layerOf = ({ first }: RecordedProduct) =>
      sections.find((s) => s.first <= first && first < s.end)?.layer ?? "";
    const distinct = new Map<string, Product>();
    for (const product of recorded) {
      const key = productKey(product.shape);
      if (!distinct.has(key)) distinct.set(key, { ...product, layer: layerOf(product) });
    }
    return new Workload([...distinct.values()], owned.move());
  }

  /** Frees the plan and the network. */
  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }
}

/** What a product computed: one array for each tensor it writes. */
export type Results = readonly TensorData[];

/** A product that is ready to run. */
export class Prepared implements Disposable {
  /** `outputs` are what the plan writes. */
  constructor(readonly gpu: Gpu, readonly plan: Plan, readonly outputs: readonly AnyTensor[]) {}

  /** Runs once and reads what it wrote. */
  async results(): Promise<Results> {
    this.plan.run();
    return await readTensors(this.gpu, this.outputs);
  }

  /** Frees the plan. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
  }
}

/** Milliseconds of all launches of each, the median of `repeats` runs. */
export async function milliseconds(
  prepared: readonly Prepared[],
  clock: Clock,
  repeats: number,
): Promise<number[]> {
  if (prepared.length === 0) return [];
  const bound = prepared.flatMap(({ plan }) => plan.bound);
  const times = await timeLaunches(prepared[0]!.gpu, bound, { clock, repeats });
  return prepared.map(({ plan }) => times.splice(0, plan.bound.length).reduce((sum, t) => sum + t, 0));
}

/** Compiles the product with this choice, by the op's own call; throws what WebGPU says where it cannot. */
export async function prepare(gpu: Gpu, product: RecordedProduct, choice: TileChoice): Promise<Prepared> {
  const plan = new Plan(gpu, productKey(product.shape));
  try {
    const outputs = await gpu.guard(`build ${plan.label}`, () => product.record(plan, choice));
    await plan.compile();
    return new Prepared(gpu, plan, outputs);
  } catch (error) {
    plan[Symbol.dispose]();
    throw error;
  }
}
