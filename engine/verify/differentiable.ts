/**
 * Cases of operations with a gradient: the kernels forward and backward against a float64 reference, and each of the
 * kernels' gradients against the slope of the kernels' own forward pass.
 * @module
 */
import type { Gpu } from "../device.ts";
import type { Plan } from "../plan.ts";
import type { Tensor } from "../tensor.ts";
import { normal } from "../random.ts";
import { type Case, type Check, compare } from "./case.ts";
import { paddingChecks, runOnce, upload } from "./device.ts";
import type { Values } from "./sample.ts";

/** Values by name of the input or output. */
export type Named<T> = Readonly<Record<string, T>>;

/** An operation recorded into a plan. */
export interface BuiltOperation {
  readonly y: Tensor;
  /** Further results to compare, e.g. running statistics. */
  readonly outputs?: Named<Tensor>;
  /** Records the backward launches; the gradients' names are those of the inputs. */
  backward(dy: Tensor): Named<Tensor>;
}

/** Another arrangement of an input on the device: element i is the input's `indices[i]`, or a zero where that is -1. */
export interface Arrangement {
  readonly shape: readonly number[];
  readonly indices: Int32Array;
}

/** The device's side of an operation. */
export interface Operation {
  /** Inputs that the device holds in another arrangement. */
  readonly arranged?: Named<Arrangement>;
  build(plan: Plan, inputs: Named<Tensor>): BuiltOperation;
}

/** What the operation should give. */
export interface Expected {
  readonly y: ArrayLike<number>;
  readonly outputs?: Named<ArrayLike<number>>;
  readonly gradients: Named<ArrayLike<number>>;
}

/** One problem. */
export interface Problem {
  readonly operation: Operation;
  readonly inputs: Named<Values>;
  /** Gradient of a loss by y. */
  readonly dy: Float32Array;
  readonly expected: Expected;
  /** Allowed normalised error; default `KERNEL_TOLERANCE`. */
  readonly tolerance?: number;
  /** Which gradients to compare with slopes; default all. None where a kink lies inside the step. */
  readonly slopes?: readonly string[];
  /** Step of the finite differences along a direction of unit magnitude per element; default 2^-6. */
  readonly step?: number;
  /** Allowed relative error of a slope: float32 noise and the step's curvature; default 1e-3. */
  readonly slopeTolerance?: number;
}

/** A case of an operation with a gradient. `problem` is only computed when the case runs. */
export function differentiableCase(op: string, name: string, problem: () => Problem): Case {
  return { op, name, run: (gpu) => checkProblem(gpu, `${op} ${name}`, problem()) };
}

/** Runs a problem and compares everything it gives. */
export async function checkProblem(gpu: Gpu, label: string, problem: Problem): Promise<Check[]> {
  const { operation, inputs, dy, expected, tolerance } = problem;
  const nudges = (problem.slopes ?? Object.keys(expected.gradients)).map((key) => nudge(problem, key));
  const results = await runOnce(gpu, label, (plan) => {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([key, v]) => [key, upload(plan, key, arrange(operation, key, v))]),
    );
    const built = operation.build(plan, tensors);
    const dyTensor = upload(plan, "dy", { shape: built.y.shape, data: dy });
    const gradients = built.backward(dyTensor);
    const found: Record<string, Tensor> = { y: built.y, ...built.outputs };
    for (const [key, tensor] of Object.entries(gradients)) found[`d${key}`] = tensor;
    for (const { key, up, down } of nudges) {
      for (const [sign, values] of [["+", up], ["-", down]] as const) {
        // What has no gradient may be state that a forward pass changes, so each pass gets its own.
        const own = Object.entries(inputs).filter(([name]) => name === key || !(name in expected.gradients));
        const moved = own.map(([name, value]) =>
          [name, upload(plan, name, arrange(operation, name, name === key ? values : value))] as const
        );
        found[key + sign] = operation.build(plan, { ...tensors, ...Object.fromEntries(moved) }).y;
      }
    }
    return found;
  });
  const checks = [...paddingChecks(results), compare("y", results.y!.values, expected.y, tolerance)];
  for (const [key, wanted] of Object.entries(expected.outputs ?? {})) {
    checks.push(compare(key, results[key]!.values, wanted, tolerance));
  }
  const gradients: Record<string, Float32Array> = {};
  for (const [key, wanted] of Object.entries(expected.gradients)) {
    const { values, strays } = restore(operation, key, results[`d${key}`]!.values, wanted.length);
    if (strays !== 0) checks.push({ quantity: `d${key} where no weight is`, error: strays, tolerance: 0 });
    gradients[key] = values;
    checks.push(compare(`d${key}`, values, wanted, tolerance));
  }
  for (const { key, up, down } of nudges) {
    const measured = dot(dy, results[`${key}+`]!.values) - dot(dy, results[`${key}-`]!.values);
    // The steps as float32 rounded them.
    const predicted = dot(gradients[key]!, up.data) - dot(gradients[key]!, down.data);
    const error = Math.abs(measured - predicted) / (Math.abs(predicted) || 1);
    checks.push({ quantity: `slope of ${key}`, error, tolerance: problem.slopeTolerance ?? 1e-3 });
  }
  return checks;
}

/**
 * A direction to measure a slope along: the gradient's own, so that the slope is far from zero, plus a random one,
 * so that an error in any other direction shows. About one per element.
 */
export function slopeDirection(gradient: ArrayLike<number>): Float64Array {
  const size = Math.sqrt(dot(gradient, gradient) / gradient.length) || 1;
  return Float64Array.from(gradient, (g, i) => g / size + normal(0, 0x7e58, i));
}

/** The input a step up and a step down that direction. */
function nudge({ inputs, expected, step = 2 ** -6 }: Problem, key: string) {
  const { shape, data } = inputs[key]!;
  const direction = slopeDirection(expected.gradients[key]!);
  return {
    key,
    up: { shape, data: data.map((v, i) => v + step * direction[i]!) },
    down: { shape, data: data.map((v, i) => v - step * direction[i]!) },
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function arrange({ arranged }: Operation, key: string, values: Values): Values {
  const arrangement = arranged?.[key];
  if (!arrangement) return values;
  const data = Float32Array.from(arrangement.indices, (from) => from < 0 ? 0 : values.data[from]!);
  return { shape: arrangement.shape, data };
}

/** The inverse of `arrange`; `strays` is the largest magnitude where the arrangement has zeros. */
function restore({ arranged }: Operation, key: string, device: Float32Array, size: number) {
  const arrangement = arranged?.[key];
  if (!arrangement) return { values: device, strays: 0 };
  const values = new Float32Array(size);
  let strays = 0;
  arrangement.indices.forEach((from, i) => {
    if (from < 0) strays = Math.max(strays, Math.abs(device[i]!));
    else values[from] = device[i]!;
  });
  return { values, strays };
}
