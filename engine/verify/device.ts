/**
 * Runs a few launches once on a device and brings the results back.
 * @module
 */
import type { Gpu } from "../device.ts";
import { Plan } from "../plan.ts";
import {
  type AnyTensor,
  type DType,
  readTensors,
  type Tensor,
  type TensorData,
  writeTensor,
} from "../tensor.ts";
import type { Check } from "./case.ts";
import type { Values } from "./sample.ts";

/** A result: its elements without padding, and the largest magnitude found in the padding. */
export interface Output<D extends DType = "f32"> {
  readonly values: TensorData<D>;
  readonly padding: number;
}

/** Results by name, each of its tensor's type. */
export type Outputs<T extends Readonly<Record<string, AnyTensor>>> = {
  -readonly [K in keyof T]: Output<T[K]["dtype"]>;
};

/**
 * Runs the launches that `build` records, once, and reads the tensors it returns. Everything on the device is freed.
 * Several sets of tensors cost one round trip, so put many into one call.
 */
export async function runOnce<T extends Readonly<Record<string, AnyTensor>>>(
  gpu: Gpu,
  label: string,
  build: (plan: Plan) => T,
): Promise<Outputs<T>> {
  using plan = new Plan(gpu, label);
  const tensors = await gpu.guard(`build ${label}`, () => build(plan));
  await plan.compile();
  plan.run();
  const names = Object.keys(tensors);
  const raw = await readTensors(gpu, names.map((name) => tensors[name]!.flat()));
  const outputs = names.map((name, i) => [name, withoutPadding(raw[i]!, tensors[name]!)]);
  return Object.fromEntries(outputs) as Outputs<T>;
}

/** A tensor of the plan holding these values. */
export function upload(plan: Plan, label: string, { shape, data }: Values): Tensor {
  const tensor = plan.tensor(shape, label);
  writeTensor(plan.gpu, tensor, data);
  return tensor;
}

/** A u32 tensor of the plan, [values] unless `shape` says otherwise. */
export function uploadIntegers(
  plan: Plan,
  label: string,
  data: Uint32Array,
  shape: readonly number[] = [data.length],
): Tensor<"u32"> {
  const tensor = plan.integers(shape, label);
  writeTensor(plan.gpu, tensor, data);
  return tensor;
}

/** Checks that fail for outputs whose padding is not exactly zero; empty when all is well. */
export function paddingChecks(outputs: Readonly<Record<string, Output<DType>>>): Check[] {
  return Object.entries(outputs)
    .filter(([, { padding }]) => padding !== 0)
    .map(([name, { padding }]) => ({ quantity: `padding of ${name}`, error: padding, tolerance: 0 }));
}

function withoutPadding(
  raw: Float32Array | Uint32Array,
  { shape, pitch, size }: AnyTensor,
): Output<DType> {
  const last = shape.at(-1)!;
  const values = raw instanceof Float32Array ? new Float32Array(size) : new Uint32Array(size);
  let padding = 0;
  for (let row = 0; row * pitch < raw.length; row++) {
    values.set(raw.subarray(row * pitch, row * pitch + last), row * last);
    // A NaN must show, and Math.max passes it on.
    for (let i = row * pitch + last; i < (row + 1) * pitch; i++) {
      padding = Math.max(padding, Math.abs(raw[i]!));
    }
  }
  return { values, padding };
}
