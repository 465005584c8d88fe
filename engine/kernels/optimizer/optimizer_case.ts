/**
 * Runs an optimiser's steps on the device.
 * @module
 */
import type { Gpu } from "../../gpu.ts";
import type { Launch } from "../../kernel.ts";
import { addInto } from "../columns/columns.ts";
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { type Output, runOnce, upload } from "../../verify/device.ts";

/** Tensors of one parameter arena and the step's numbers, see `sgdStep`. */
export interface StepTensors {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly hyper: Tensor;
}

/** Records one step. `state(name)` is a tensor of the parameter's shape, zero at first (or `initial`), kept between steps. */
export type StepBuilder = (
  tensors: StepTensors,
  state: (name: string, initial?: number) => Tensor,
  plan: Plan,
) => readonly Launch[];

/** A run: one gradient a step, all of the parameter's length. */
export interface OptimizerRun {
  readonly initial: Float32Array;
  readonly gradients: readonly Float32Array[];
  readonly learningRate: number;
  /** Factor on the gradients; default 1. */
  readonly scale?: number;
  /** Value of `hyper`'s fourth number, which stops the update when not 0; default 0. */
  readonly stop?: number;
}

/** The parameter after each step. */
export async function runOptimizer(gpu: Gpu, run: OptimizerRun, build: StepBuilder): Promise<Output[]> {
  const { initial, gradients, learningRate, scale = 1, stop = 0 } = run;
  const shape = [initial.length];
  const found = await runOnce(gpu, "optimizer", (plan) => {
    const parameter = upload(plan, "parameter", { shape, data: initial });
    const states = new Map<string, Tensor>();
    const state = (name: string, value = 0) => {
      const data = new Float32Array(initial.length).fill(value);
      const tensor = states.get(name) ?? upload(plan, name, { shape, data });
      states.set(name, tensor);
      return tensor;
    };
    return Object.fromEntries(gradients.map((data, i) => {
      const gradient = upload(plan, "gradient", { shape, data });
      const numbers = Float32Array.of(learningRate, scale, i + 1, stop);
      const hyper = upload(plan, "hyper", { shape: [4], data: numbers });
      const after = plan.tensor(shape, "after");
      plan.add(...build({ parameter, gradient, hyper }, state, plan), addInto(parameter, after));
      return [i, after];
    }));
  });
  return gradients.map((_, i) => found[i]!);
}
