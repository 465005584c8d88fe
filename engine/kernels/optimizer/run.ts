/**
 * Runs an optimiser's steps on the device.
 * @module
 */
import type { Gpu } from "../../device.ts";
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { type Output, runOnce, upload } from "../../verify/device.ts";
import { accumulate } from "../add/add.ts";
import { type Pace, stepParams, type UpdateTensors } from "./optimizer.ts";

/** Records one step. `state(name)` is a tensor of the parameter's shape, zero at first (or `initial`), kept between steps. */
export type StepBuilder = (
  plan: Plan,
  tensors: UpdateTensors,
  state: (name: string, initial?: number) => Tensor,
) => void;

/** A run: one gradient a step, all of the parameter's length. */
export interface OptimizerRun {
  readonly initial: Float32Array;
  readonly gradients: readonly Float32Array[];
  readonly learningRate: number;
  /** Factor on the gradients; default 1. */
  readonly scale?: number;
  /** `stop` of the step's numbers; default 0. */
  readonly stop?: number;
  /** Beside the step's own; default: none. */
  readonly pace?: Pace | undefined;
}

/** The parameter after each step. */
export async function runOptimizer(gpu: Gpu, run: OptimizerRun, build: StepBuilder): Promise<Output[]> {
  const { initial, gradients, learningRate: lr, scale: gradScale = 1, stop = 0, pace } = run;
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
      const numbers = stepParams({ lr, gradScale, step: i + 1, stop });
      const params = upload(plan, "params", { shape: [4], data: numbers });
      const after = plan.tensor(shape, "after");
      build(plan, { parameter, gradient, params, pace }, state);
      accumulate(plan, { x: parameter, y: after });
      return [i, after];
    }));
  });
  return gradients.map((_, i) => found[i]!);
}
